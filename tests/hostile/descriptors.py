"""Descriptors of all sorts, made for being sent: a name and a function that makes one, or returns None where the system has none.
Memory in all states is in memories()."""

import ctypes
import fcntl
import os
import socket
import tempfile

from leat_packets import ALL_SEALS, FUTURE_WRITE

SEALS = {"SEAL": fcntl.F_SEAL_SEAL, "SHRINK": fcntl.F_SEAL_SHRINK, "GROW": fcntl.F_SEAL_GROW, "WRITE": fcntl.F_SEAL_WRITE}
LIBC = ctypes.CDLL(None, use_errno=True)
SYS_IO_URING_SETUP, SYS_MEMFD_SECRET, SYS_USERFAULTFD = 425, 447, 323  # Of x86-64; the first two are the same everywhere.
MFD_HUGETLB = 4
PUNCH = 3  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE


def syscall(number, *arguments):
    fd = LIBC.syscall(ctypes.c_long(number), *arguments)
    return fd if fd >= 0 else None


def unless_refused(make):
    """None where the system does not have it, or does not let us."""
    def attempt(a):
        try:
            return make(a)
        except (OSError, AttributeError):
            return None
    return attempt


def a_socket(*words):
    return lambda a: socket.socket(*words).detach()


def one_of_pair(kind):
    def make(a):
        one, other = socket.socketpair(socket.AF_UNIX, kind)
        a.keep(other)
        return one.detach()
    return make


def pipe_end(which):
    def make(a):
        ends = os.pipe()
        a.keep(ends[1 - which])
        return ends[which]
    return make


def terminal(which):
    def make(a):
        ends = os.openpty()
        a.keep(ends[1 - which])
        return ends[which]
    return make


def listening(family, kind):
    def make(a):
        sock = socket.socket(family, kind)
        if family == socket.AF_UNIX:
            sock.bind("")  # A name that the system picks.
        else:
            sock.bind(("127.0.0.1", 0))
        sock.listen(1)
        return sock.detach()
    return make


def connected_by_path(a):
    folder = tempfile.mkdtemp()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(folder + "/s")
        listener.listen(1)
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(folder + "/s")
        a.keep(listener.accept()[0])
        os.unlink(folder + "/s")
        os.rmdir(folder)
    return client.detach()


def regular_file(a):
    fd, path = tempfile.mkstemp()
    os.write(fd, bytes(4096))
    os.unlink(path)
    return fd


def io_uring(a):
    return syscall(SYS_IO_URING_SETUP, 2, ctypes.create_string_buffer(120))


def userfault(a):
    return syscall(SYS_USERFAULTFD, 1) if os.uname().machine == "x86_64" else None


def by_libc(name, *arguments):
    def make(a):
        fd = getattr(LIBC, name)(*arguments)
        return fd if fd >= 0 else None
    return make


def signalfd(a):
    return by_libc("signalfd", -1, ctypes.create_string_buffer(128), 0)(a)


SEQPACKETS = {
    "a SEQPACKET socket": one_of_pair(socket.SOCK_SEQPACKET),
    "an unconnected SEQPACKET socket": a_socket(socket.AF_UNIX, socket.SOCK_SEQPACKET),
    "a listening SEQPACKET socket": listening(socket.AF_UNIX, socket.SOCK_SEQPACKET),
    "a SEQPACKET socket connected by a path": connected_by_path,
}

OTHERS = {
    "a regular file": regular_file,
    "a directory": lambda a: os.open("/", os.O_RDONLY | os.O_DIRECTORY),
    "an O_PATH descriptor": lambda a: os.open("/", os.O_PATH),
    "/dev/null": lambda a: os.open("/dev/null", os.O_RDWR),
    "/dev/full": lambda a: os.open("/dev/full", os.O_RDWR),
    "/proc/self/mem": lambda a: os.open("/proc/self/mem", os.O_RDWR),
    "the reading end of a pipe": pipe_end(0),
    "the writing end of a pipe": pipe_end(1),
    "a pseudo-terminal": terminal(0),
    "a terminal": terminal(1),
    "an epoll": by_libc("epoll_create1", 0),
    "an eventfd": by_libc("eventfd", 1, 0),
    "a timerfd": by_libc("timerfd_create", 1, 0),
    "a signalfd": signalfd,
    "an inotify": by_libc("inotify_init1", 0),
    "a pidfd": lambda a: os.pidfd_open(os.getpid()),
    "a userfaultfd": userfault,
    "an io_uring": io_uring,
    "a TCP socket": a_socket(socket.AF_INET, socket.SOCK_STREAM),
    "a listening TCP socket": listening(socket.AF_INET, socket.SOCK_STREAM),
    "a UDP socket": a_socket(socket.AF_INET, socket.SOCK_DGRAM),
    "a netlink socket": a_socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "a STREAM socket": one_of_pair(socket.SOCK_STREAM),
    "a DGRAM socket": one_of_pair(socket.SOCK_DGRAM),
    "a listening STREAM socket": listening(socket.AF_UNIX, socket.SOCK_STREAM),
    "a vsock socket": lambda a: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).detach(),
    "a socket of algorithms": lambda a: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).detach(),
}


# ---- memory ----

def memfd(size=4096, flags=os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING):
    fd = os.memfd_create("hostile", flags)
    if size:
        os.write(fd, bytes(size))
    return fd


def seal(fd, seals=ALL_SEALS):
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def with_seals(seals):
    return lambda a: seal(memfd(), seals)


def sparse(size):
    def make(a):
        fd = memfd(0)
        os.ftruncate(fd, size)
        return seal(fd)
    return make


def punched(a):
    fd = memfd(1 << 20)
    if LIBC.fallocate(fd, PUNCH, ctypes.c_long(4096), ctypes.c_long(8192)) < 0:
        os.close(fd)
        return None
    return seal(fd)


def grown_sparsely(a):
    fd = memfd(8192)
    os.ftruncate(fd, 1 << 20)
    return seal(fd)


def reopened(flags, seals=ALL_SEALS):
    def make(a):
        fd = seal(memfd(), seals)
        try:
            return os.open(f"/proc/self/fd/{fd}", flags)
        finally:
            os.close(fd)
    return make


def write_only(a):
    fd = memfd()
    try:
        other = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        seal(fd)
        return other
    finally:
        os.close(fd)


def huge_pages(a):
    fd = os.memfd_create("hostile", os.MFD_ALLOW_SEALING | MFD_HUGETLB)
    try:
        os.ftruncate(fd, 2 << 20)
        if LIBC.fallocate(fd, 0, ctypes.c_long(0), ctypes.c_long(2 << 20)) < 0:
            os.ftruncate(fd, 0)  # There are no such pages; without any it is no less of that kind.
        return seal(fd)
    except OSError:
        os.close(fd)
        raise


def secret(a):
    fd = syscall(SYS_MEMFD_SECRET, 0)
    if fd is not None:
        os.ftruncate(fd, 4096)
    return fd


def file_in_memory(a):
    fd, path = tempfile.mkstemp(dir="/dev/shm")
    os.write(fd, bytes(4096))
    os.unlink(path)
    return fd


def subsets():
    """All of the four seals but the one that is right."""
    for bits in range(15):
        names = [name for i, name in enumerate(SEALS) if bits >> i & 1]
        yield f"memory with the seals {' '.join(names) or 'none'}", with_seals(sum(SEALS[name] for name in names))


WRONG_MEMORY = dict(subsets())
WRONG_MEMORY.update({
    "memory that may not be sealed": lambda a: memfd(4096, os.MFD_CLOEXEC),
    "memory sealed against future writers only": with_seals(ALL_SEALS & ~fcntl.F_SEAL_WRITE | FUTURE_WRITE),
    "sparse memory": sparse(1 << 20),
    "sparse memory of one byte": sparse(1),
    "punched memory": punched,
    "memory with a hole behind": grown_sparsely,
    "memory for writing only": write_only,
    "memory by O_PATH": reopened(os.O_PATH),
    "memory of huge pages": huge_pages,
    "secret memory": secret,
    "a file in /dev/shm": file_in_memory,
})

RIGHT_MEMORY = {
    "sealed memory": with_seals(ALL_SEALS),
    "sealed memory with every seal": with_seals(ALL_SEALS | FUTURE_WRITE),
    "sealed memory for reading only": reopened(os.O_RDONLY),
    "sealed memory of no size": lambda a: seal(memfd(0)),
    "sealed memory shrunk before": lambda a: seal(shrunk()),
}


def shrunk():
    fd = memfd(1 << 20)
    os.ftruncate(fd, 100)
    return fd

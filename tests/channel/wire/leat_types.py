"""Types, their texts and fingerprints, and what their messages look like as bytes. Written from channel/WIRE.md alone: "Types: text and
fingerprint" and "Encodings".

    point = Message("point", ("i32", "x"), ("i32", "y"))
    shape = Variant("shape", (point, "dot"), ("unit", "nothing"))
    color = Enum("color", "red", "green")
    draw = Message("draw", ("u32", "id"), (shape, "what"), ("optional", "string", "note"), ("fixed_array", 4, "u8", "name"),
                   ("array", ("sender", reply), "done"))

A type that contains itself is made first, Message("tree"), and gets its fields by define(). The value of a message is a dict, of a variant
(alternative, value), of an enum its name, of `any` the bytes of a MessagePack value, of a raw message bytes. What a handle is, is not known here:
who encodes gives a function from a handle to its number, who decodes one from number, kind and type to a handle.
"""

import hashlib
import struct

PLAIN, MESSAGEPACK, RAW = 1, 2, 3
MAX_NESTING = 32
MAX_CONTAINERS = 128
MAX_TAILS = 64

SCALARS = {"i8": "b", "u8": "B", "boolean": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "f32": "f",
           "i64": "q", "u64": "Q", "f64": "d"}
INTEGERS = {"i8": (-2**7, 2**7), "i16": (-2**15, 2**15), "i32": (-2**31, 2**31), "i64": (-2**63, 2**63),
            "u8": (0, 2**8), "u16": (0, 2**16), "u32": (0, 2**32), "u64": (0, 2**64)}
HANDLES = ("descriptor", "shared_memory", "sender", "receiver")


class Malformed(Exception):
    """What came is no valid message."""


class TypeMismatch(Exception):
    """What came is of another type."""


class Opaque:
    """Where an end's type stands: any. There are no messages of it."""
    name = "leat_opaque"


opaque = Opaque()


class Nothing:
    """In an optional that is there: a unit, or no handle. (None is an optional that is not there.)"""


nothing = Nothing()


class Field:
    """One element, or several: `shape` is "one", "optional", "array" or "fixed_array"."""

    def __init__(self, *words):
        self.shape, self.count = "one", 1
        if words[0] in ("optional", "array"):
            self.shape, words = words[0], words[1:]
        elif words[0] == "fixed_array":
            self.shape, self.count, words = words[0], words[1], words[2:]
        element, self.name = words
        self.type = None
        if isinstance(element, tuple):
            self.kind, self.type = element
        elif isinstance(element, str):
            self.kind = element
        else:
            self.kind, self.type = "user", element

    def text(self):
        shape = {"one": "", "fixed_array": f"fixed_array {self.count} "}.get(self.shape, self.shape + " ")
        element = self.type.name if self.kind == "user" else self.kind + (f" {self.type.name}" if self.type else "")
        return f"{shape}{element} {self.name}"


class Fingerprint:
    def __init__(self, base, tails=()):
        self.base, self.tails = base, tuple(tails)

    @property
    def tag(self):
        return self.base[:4]

    def bytes(self):
        return bytes([len(self.tails)]) + self.base + b"".join(self.tails)

    @classmethod
    def read(cls, data):
        """Returns it, and what follows it."""
        if len(data) < 17 or data[0] > MAX_TAILS or len(data) < 17 + 8 * data[0]:
            raise Malformed("no fingerprint")
        end = 17 + 8 * data[0]
        return cls(bytes(data[1:17]), [bytes(data[i:i + 8]) for i in range(17, end, 8)]), data[end:]

    def is_compatible(self, other):
        return self.base == other.base and all(a == b for a, b in zip(self.tails, other.tails))


def blake2b(data):
    return hashlib.blake2b(data, digest_size=16).digest()


class Type:
    def __init__(self, name, *fields):
        self.name = name
        self.fields = []
        self.define(*fields)

    def define(self, *fields):
        self.fields = [Field(*field) for field in fields]
        return self

    @property
    def n_required(self):
        return len(self.fields)

    def definition(self, n_fields=None):
        return f"{self.word} {self.name} {{{'; '.join(field.text() for field in self.fields[:n_fields])}}}\n"

    def text(self, n_fields=None):
        """All definitions; this one's with its first fields only."""
        return self.definition(n_fields) + definitions_behind([self], self.fields[:n_fields])

    def fingerprint(self):
        tails, last = [], blake2b(self.text(self.n_required).encode())
        base = last
        for i in range(self.n_required, len(self.fields)):
            field = self.fields[i]
            text = field.text() + "\n" + definitions_behind([], [field], {self: i + 1})
            last = blake2b(last + text.encode())[:8]
            tails.append(last)
        return Fingerprint(base, tails)

    @property
    def is_plain(self):
        return self.n_required == len(self.fields) and self.image_layout() is not None

    def image_layout(self, n_fields=None):
        """Of what is sent: None also where it is nested deeper than anything may be."""
        layout = self.layout(n_fields)
        return layout if layout is None or nesting(self, n_fields) <= MAX_NESTING else None


def definitions_behind(met, fields, n_fields=None):
    """Of what is mentioned in these fields and not met yet; of those in `n_fields` only so many fields."""
    text, queue = "", list(fields)
    while queue:
        field = queue.pop(0)
        if field.kind == "user" and field.type not in met:
            n = (n_fields or {}).get(field.type)
            met.append(field.type)
            text += field.type.definition(n)
            queue += field.type.fields[:n]
    return text


def nesting(type_, n_fields=None):
    """How deep messages and variants stand in one another; of what has a fixed size."""
    inner = [field.type for field in type_.fields[:n_fields] if field.kind == "user" and not isinstance(field.type, Enum)]
    return 1 + max((nesting(each) for each in inner), default=0)


def align(offset, alignment):
    return (offset + alignment - 1) // alignment * alignment


def element_layout(field):
    """Size and alignment; None where there is no fixed size."""
    if field.kind in SCALARS:
        size = struct.calcsize("<" + SCALARS[field.kind])
        return size, size
    if field.kind == "unit":
        return 0, 1
    return field.type.layout() if field.kind == "user" else None


class Message(Type):
    word = "message"

    @property
    def n_required(self):
        n = len(self.fields)
        while n > 0 and self.fields[n - 1].shape == "optional":
            n -= 1
        return n

    def layout(self, n_fields=None):
        size, alignment = 0, 1
        for field in self.fields[:n_fields]:
            element = None if field.shape in ("optional", "array") else element_layout(field)
            if element is None:
                return None
            size = align(size, element[1]) + element[0] * field.count
            alignment = max(alignment, element[1])
        return align(size, alignment), alignment

    def write_image(self, image, offset, value):
        for field in self.fields:
            size, alignment = element_layout(field)
            offset = align(offset, alignment)
            for item in value[field.name] if field.shape == "fixed_array" else [value[field.name]]:
                write_element(image, offset, field, item)
                offset += size

    def read_image(self, image, offset, n_fields=None):
        value = {}
        for field in self.fields[:n_fields]:
            size, alignment = element_layout(field)
            offset = align(offset, alignment)
            items = [read_element(image, offset + i * size, field) for i in range(field.count)]
            value[field.name] = items if field.shape == "fixed_array" else items[0]
            offset += size * field.count
        return value


class Variant(Type):
    word = "variant"

    def layout(self, n_fields=None):
        layouts = [element_layout(field) for field in self.fields]
        if None in layouts:
            return None
        alignment = max([4] + [each[1] for each in layouts])
        return align(align(4, alignment) + max(each[0] for each in layouts), alignment), alignment

    def choose(self, number):
        if number >= len(self.fields):
            raise Malformed("no such alternative")
        return self.fields[number]

    def write_image(self, image, offset, value):
        number = [field.name for field in self.fields].index(value[0])
        struct.pack_into("<I", image, offset, number)
        write_element(image, offset + align(4, self.layout()[1]), self.fields[number], value[1])

    def read_image(self, image, offset, n_fields=None):
        field = self.choose(struct.unpack_from("<I", image, offset)[0])
        return field.name, read_element(image, offset + align(4, self.layout()[1]), field)


class Enum(Type):
    word = "enum"

    def define(self, *names):
        self.names = names

    def definition(self, n_fields=None):
        return f"enum {self.name} {{{'; '.join(self.names)}}}\n"

    def layout(self):
        return 4, 4

    def choose(self, number):
        if number >= len(self.names):
            raise Malformed("no such name")
        return self.names[number]

    def write_image(self, image, offset, value):
        struct.pack_into("<I", image, offset, self.names.index(value))

    def read_image(self, image, offset):
        return self.choose(struct.unpack_from("<I", image, offset)[0])


class Raw(Type):
    word = "raw"

    def layout(self, n_fields=None):
        return None


raw = Raw("leat_raw", ("bytes", "bytes"))


def write_element(image, offset, field, value):
    if field.kind in SCALARS:
        struct.pack_into("<" + SCALARS[field.kind], image, offset, value)
    elif field.kind == "user":
        field.type.write_image(image, offset, value)


def read_element(image, offset, field):
    if field.kind == "unit":
        return None
    if field.kind == "user":
        return field.type.read_image(image, offset)
    value, = struct.unpack_from("<" + SCALARS[field.kind], image, offset)
    if field.kind != "boolean":
        return value
    if value > 1:
        raise Malformed("no boolean")
    return value == 1


# ---- whole bodies ----

def encode(type_, value, number_of=None):
    """Returns encoding and body."""
    from leat_messagepack import Encoder
    if type_ is raw:
        return RAW, bytes(value)
    if type_.is_plain:
        image = bytearray(type_.layout()[0])
        type_.write_image(image, 0, value)
        return PLAIN, bytes(image)
    return MESSAGEPACK, Encoder(number_of).message(type_, value)


def decode(type_, encoding, body, handle_of=None):
    from leat_messagepack import Decoder
    if type_ is raw or encoding == RAW:
        if type_ is not raw or encoding != RAW:
            raise Malformed("raw and not raw")
        return bytes(body)
    if encoding == MESSAGEPACK:
        return Decoder(body, handle_of).whole_message(type_)
    layout = type_.image_layout(type_.n_required) if encoding == PLAIN else None
    if layout is None or layout[0] != len(body):
        raise Malformed("no such image")
    value = type_.read_image(body, 0, type_.n_required)
    if isinstance(value, dict):
        value.update({field.name: None for field in type_.fields[type_.n_required:]})
    return value

"""Bodies that are no value of their type: images with what may not be in them, MessagePack that is broken, too much, or too deep."""

import struct

from hostile import EMPTY_PARCEL, MALFORMED, OK, TOO_LARGE, case, parcel, value_of
from leat_messagepack import Encoder, array_start, binary, shortest, string
from leat_packets import ALL_SEALS, MAX_INLINE, SEALED, make_memory
from leat_types import MESSAGEPACK, PLAIN, encode

FIELDS = [field.name for field in parcel.fields]
NIL, FALSE, TRUE, F32, F64 = b"\xc0", b"\xc2", b"\xc3", b"\xca" + bytes(4), b"\xcb" + bytes(8)
# One value of each form that MessagePack has.
FORMS = {"nil": NIL, "false": FALSE, "true": TRUE, "a small number": b"\5", "a negative number": b"\xff", "a u8": b"\xcc\xff",
         "a u16": b"\xcd\xff\xff", "a u32": b"\xce" + b"\xff" * 4, "a u64": b"\xcf" + b"\xff" * 8, "an i8": b"\xd0\x80",
         "an i16": b"\xd1\x80\0", "an i32": b"\xd2\x80" + bytes(3), "an i64": b"\xd3\x80" + bytes(7), "a float": F32, "a double": F64,
         "a string": b"\xa1x", "an empty string": b"\xa0", "bytes": b"\xc4\1x", "empty bytes": b"\xc4\0", "an array": b"\x91\xc0",
         "an empty array": b"\x90", "a map": b"\x81\1\1", "an empty map": b"\x80", "an extension": b"\xd4\1x",
         "a long extension": b"\xc7\3\1xyz", "the byte that is nothing": b"\xc1"}
NUMBERS = {"a small number", "a u8", "a u16", "a u32", "a u64", "a negative number", "an i8", "an i16", "an i32", "an i64"}
# What each field takes of these.
TAKES = {"id": {"a small number", "a u8", "a u16", "a u32", "a u64"}, "label": {"a string", "an empty string"},
         "data": {"bytes", "empty bytes"}, "some": {"bytes"}, "small": {"a small number", "a negative number", "an i8"},
         "single": {"a float"}, "real": {"a double"}, "on": {"false", "true"}, "paint": set(), "what": set(), "wood": set(),
         "rough": set(), "numbers": {"an empty array"}, "names": set(), "files": {"an empty array", "an array"}, "note": {"nil"},
         **{handle: {"nil"} for handle in ("file", "memory", "reply", "values", "to", "source")}}


def parts(**fields):
    """The fields of an honest parcel, encoded each by itself; some of them said as bytes."""
    value, encoder = {"id": 7, **EMPTY_PARCEL}, Encoder(lambda row: row)
    return [fields[field.name] if field.name in fields else encoder.field(field, value[field.name]) for field in parcel.fields]


def with_field(**fields):
    return array_start(len(FIELDS)) + b"".join(parts(**fields))


for name in FIELDS:
    def another(a, name=name):
        for form, value in FORMS.items():
            a.send(a.packet(with_field(**{name: value})), answer=OK if form in TAKES[name] else MALFORMED)
    case(f"every form of a value as the field {name}")(another)


@case("strings with a zero in them")
def zero(a):
    for text in (b"\0", b"a\0", b"\0a", b"a" * 40 + b"\0" + b"b" * 40, bytes(300)):
        for field in ("label", "note"):
            value = string(text)
            a.send(a.packet(with_field(**{field: b"\x91" + value if field == "note" else value})))
        a.send(a.packet(with_field(names=b"\x92\xa1x" + string(text))))
        a.send(a.packet(with_field(wood=b"\x92" + string(text) + b"\x90")))


@case("tags, enums and numbers out of range")
def out_of_range(a):
    for number in (3, 4, 127, 128, 255, 256, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1, -1, -2**31, -2**63):
        a.send(a.packet(with_field(paint=shortest(number))))
        if not 0 <= number <= 3:
            a.send(a.packet(with_field(what=b"\x92" + shortest(number) + NIL)))
    for number in (128, 255, -129, 2**63, -2**63):
        a.send(a.packet(with_field(small=shortest(number))))
    for number in (65536, 2**32, -1):
        a.send(a.packet(with_field(numbers=b"\x91" + shortest(number))))
    a.send(a.packet(with_field(id=b"\xff")))


@case("variants that are none")
def variants(a):
    for value in (b"\x90", b"\x91\1", b"\x93\1\xc0\xc0", b"\x92\1\1", b"\x92\0\xc0", b"\x92\0\x91\1", b"\x92\0\x93\1\1\1", b"\x92\2\xcd\1\0",
                  b"\x92\3\1", b"\x92\xc0\xc0", b"\x92\xc2\xc0", b"\x92" + F32 + NIL, b"\x92\xa1\1\xc0", b"\x92\x90\xc0", b"\x81\1\xc0"):
        a.send(a.packet(with_field(what=value)))


@case("fixed arrays, optionals and messages with another number of items")
def counts(a):
    for value in (b"\x90", b"\x91\xa0", b"\x93\xa0\xa0\xa0", b"\xdc\0\3\xa0\xa0\xa0", b"\xdd\0\0\0\1\xa0"):
        a.send(a.packet(with_field(names=value)))
    for value in (b"\x90", b"\x92\xa0\xa0", b"\xa0", b"\x91\x91\xa0", b"\x91\xc0"):
        a.send(a.packet(with_field(note=value)))
    for value in (b"\x90", b"\x91\xa0", b"\x93\xa0\x90\xc0", b"\x92\xa0\x91\x91\xa0"):
        a.send(a.packet(with_field(wood=value)))
    for value in (b"\x90", b"\x92\xc4\0\xc4\0", b"\xc4\0"):
        a.send(a.packet(with_field(rough=value)))
    fields = parts()
    for n in (0, 1, len(FIELDS) - 2):
        a.send(a.packet(array_start(n) + b"".join(fields[:n])))
    a.send(a.packet(array_start(len(FIELDS) - 1) + b"".join(fields[:-1])), answer=OK)  # An older writer's.


@case("more fields than the type has, of any kind", answer=OK)
def more_fields(a):
    for form, value in FORMS.items():
        a.send(a.packet(array_start(len(FIELDS) + 2) + b"".join(parts()) + value * 2),
               answer=MALFORMED if form == "the byte that is nothing" else OK)
    a.send(a.packet(array_start(len(FIELDS) + 1) + b"".join(parts())), answer=MALFORMED)
    a.send(a.packet(array_start(len(FIELDS)) + b"".join(parts()) + NIL), answer=MALFORMED)


def lengths():
    """Beginnings of what is said to be long."""
    for code in (0xd9, 0xc4, 0xc7):
        yield bytes([code, 0xff])
    for code in (0xda, 0xc5, 0xc8, 0xdc, 0xde):
        yield bytes([code, 0xff, 0xff])
    for code in (0xdb, 0xc6, 0xc9, 0xdd, 0xdf):
        for length in (2**32 - 1, 2**31, 2**31 - 1, 2**30, 65537):
            yield bytes([code]) + struct.pack(">I", length)


@case("lengths and counts of what is not there")
def lying_lengths(a):
    for start in lengths():
        a.send(a.packet(start))
        a.send(a.packet(start + bytes(60)))
        for field in ("label", "data", "some", "numbers", "names", "wood", "files", "rough"):
            a.send(a.packet(with_field(**{field: start})))
        a.send(a.packet(array_start(len(FIELDS) + 1) + b"".join(parts()) + start))
        a.send(a.packet(with_field(some=binary(start))))


@case("an array of as many items as a body can be said to have", memory=128)
def bombs(a):
    for count in (65536, 2**20, 2**28, 2**32 - 1):
        a.send(a.packet(with_field(numbers=b"\xdd" + struct.pack(">I", count))))
        a.send(a.packet(with_field(wood=b"\x92\xa0\xdd" + struct.pack(">I", count))))
        a.send(a.packet(with_field(files=b"\xdd" + struct.pack(">I", count))))


@case("a body that takes more decoded than the receiver's limit", options="limit=100000", answer=TOO_LARGE,
      ways=("alone", "undecoded", "set", "router"))
def inflating(a):
    branches = b"\x92\xa0\x90" * 16000
    body = with_field(wood=b"\x92\xa0" + array_start(16000) + branches)
    a.send(a.packet(body))


@case("messages nested too deep")
def too_deep(a):
    def nest(depth):
        return b"\x92\xa0" + (b"\x91" + nest(depth - 1) if depth else b"\x90")
    for depth in (31, 32, 33, 100, 300):
        a.send(a.packet(with_field(wood=nest(depth))))
    for depth in (10000, 20000):
        a.send(a.packet(with_field(wood=b"\x92\xa0\x91" * depth + b"\x92\xa0\x90")))
    a.send(a.packet(with_field(wood=nest(30))), answer=OK)  # And the parcel around it.


@case("containers nested too deep, where they are passed over")
def containers(a):
    for start, end in ((b"\x91", NIL), (b"\x81\1", NIL), (b"\xdc\0\1", b"\x90"), (b"\xdd\0\0\0\1", b"\x80")):
        for depth in (129, 130, 1000, 10000):
            a.send(a.packet(array_start(len(FIELDS) + 1) + b"".join(parts()) + start * depth + end))
            a.send(a.packet(with_field(some=binary(start * depth + end))))
        a.send(a.packet(with_field(some=binary(start * 127 + end))), answer=OK)


@case("any values that are none, or not one")
def any_values(a):
    for content in (b"", NIL * 2, b"\xc1", b"\x91", b"\xa5abc", b"\x92\xc0", b"\x81\xc0", b"\xdd\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\1",
                    b"\xcb" + bytes(7), b"\xd8" + bytes(16)):
        a.send(a.packet(with_field(some=binary(content))))


@case("bodies that break off, and go on")
def broken(a):
    whole = with_field(label=string(b"x" * 40), data=binary(bytes(300)), numbers=b"\x93\1\2\3", note=b"\x91\xa1y")
    for size in range(len(whole)):
        a.send(a.packet(whole[:size]))
    a.send(a.packet(whole + b"\0"))
    a.send(a.packet(whole * 2))
    a.send(a.packet(whole), answer=OK)


@case("every byte of a body replaced", answer=(OK, MALFORMED))
def mutations(a):
    """What comes of each is not said here; an invalid value is (see use() in victim_types.c), and what the checks after a case find."""
    whole = with_field(label=string(b"xyz"), what=b"\x92\2\5", wood=b"\x92\xa1w\x91\x92\xa1v\x90", note=b"\x91\xa1y")
    for at in range(len(whole)):
        for byte in (0, 1, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc9, 0xcf, 0xdb, 0xdd, 0xdf, 0xff):
            a.send(a.packet(whole[:at] + bytes([byte]) + whole[at + 1:]))


@case("random bodies", answer=(OK, MALFORMED))
def at_random(a):
    whole = with_field(label=string(b"xyz"), what=b"\x92\2\5", wood=b"\x92\xa1w\x91\x92\xa1v\x90")
    for _ in range(300):
        a.send(a.packet(a.random.randbytes(a.random.randrange(200))))
        body = bytearray(whole)
        for _ in range(a.random.randrange(1, 4)):
            body[a.random.randrange(len(body))] = a.random.randrange(256)
        a.send(a.packet(bytes(body)))


@case("a sealed body that lies", memory=160)
def sealed_lies(a):
    for body in (b"\xdd\xff\xff\xff\xff" + bytes(1 << 20), b"\x91" * (1 << 20), with_field() + b"\0", bytes(1 << 22)):
        memory = a.keep(make_memory(ALL_SEALS, body))
        a.send(a.packet(kind=SEALED, body_size=len(body)), [memory])


# ---- plain ----

def spoiled(a, at, data):
    encoding, body = a.body()
    return a.packet(body[:at] + data + body[at + len(data):], encoding=encoding)


@case("booleans over 1 in an image", type="gauge")
def booleans(a):
    for at in (8, 28, 29, 30):
        for byte in (2, 3, 0x7f, 0x80, 0xfe, 0xff):
            a.send(spoiled(a, at, bytes([byte])))
    body = bytearray(a.body()[1])
    struct.pack_into("<IB", body, 16, 3, 2)  # The variant's boolean.
    a.send(a.packet(bytes(body), encoding=PLAIN))
    struct.pack_into("<IB", body, 16, 3, 1)
    a.send(a.packet(bytes(body), encoding=PLAIN), answer=OK)


@case("enums and alternatives that there are not, in an image", type="gauge")
def enums(a):
    for at, first in ((12, 3), (16, 4)):
        for number in (first, first + 1, 255, 256, 65536, 2**31, 2**32 - 1):
            a.send(spoiled(a, at, struct.pack("<I", number)))


@case("images of another size", type="gauge")
def image_sizes(a):
    encoding, body = a.body()
    for size in list(range(len(body))) + [len(body) + 1, len(body) + 8, 4096, MAX_INLINE]:
        a.send(a.packet(body[:size] + bytes(max(0, size - len(body))), encoding=encoding))


@case("images of another size, large", type="image")
def large_image_sizes(a):
    encoding, body = a.body()
    for size in (0, 8, 9000, len(body) - 8, len(body) - 1, len(body) + 1, len(body) + 8, 20000, MAX_INLINE):
        a.send(a.packet(body[:size] + bytes(max(0, size - len(body))), encoding=encoding))


@case("padding that is not 0 in an image", type="gauge", answer=OK)
def padding(a):
    for at in (9, 10, 11, 31):
        a.send(spoiled(a, at, b"\xff"))


@case("a plain type as MessagePack, broken and whole", type="number")
def plain_as_messagepack(a):
    for body in (b"", NIL, b"\x90", b"\x91", b"\x91\xc0", b"\x91\xff", b"\x91\xcb" + bytes(8), b"\x92\7", b"\x91\7\7", b"\7", b"\xc4\1\7",
                 b"\xdd\xff\xff\xff\xff\7", b"\x81\7\7", b"\x91\x91\7"):
        a.send(a.packet(body, encoding=MESSAGEPACK))
    for body in (b"\x91\7", b"\xdc\0\1\7", b"\xdd\0\0\0\1\xcf" + struct.pack(">Q", 7), b"\x92\7\xc0", b"\x93\7\x91\1\xa1x"):
        a.send(a.packet(body, encoding=MESSAGEPACK), answer=OK)

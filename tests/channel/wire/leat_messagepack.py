"""MessagePack, as far as messages need it. Written from channel/WIRE.md, "MessagePack", and its specification."""

import struct

from leat_types import HANDLES, INTEGERS, MAX_CONTAINERS, MAX_NESTING, Enum, Malformed, Variant, nothing


def shortest(value):
    """An integer in its shortest form."""
    if 0 <= value < 0x80:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack("b", value)
    for code, form in ((0xcc, ">BB"), (0xcd, ">BH"), (0xce, ">BI"), (0xcf, ">BQ")) if value > 0 else (
            (0xd0, ">Bb"), (0xd1, ">Bh"), (0xd2, ">Bi"), (0xd3, ">Bq")):
        try:
            return struct.pack(form, code, value)
        except struct.error:
            continue
    raise ValueError(value)


def start(length, fixed, below, codes):
    """What a str, a bin or an array of so many begins with. `fixed` is the one-byte form's code, for lengths below `below`."""
    if length < below:
        return bytes([fixed | length])
    for code, form, end in zip(codes, (">BB", ">BH", ">BI"), (2**8, 2**16, 2**32)):
        if code and length < end:
            return struct.pack(form, code, length)
    raise ValueError(length)


def array_start(length):
    return start(length, 0x90, 16, (0, 0xdc, 0xdd))


def string(text):
    return start(len(text), 0xa0, 32, (0xd9, 0xda, 0xdb)) + text


def binary(data):
    return start(len(data), 0, 0, (0xc4, 0xc5, 0xc6)) + data


class Encoder:
    def __init__(self, number_of):
        self.number_of = number_of

    def message(self, type_, value):
        if isinstance(type_, Enum):
            return shortest(type_.names.index(value))
        if isinstance(type_, Variant):
            number = [field.name for field in type_.fields].index(value[0])
            return array_start(2) + shortest(number) + self.element(type_.fields[number], value[1])
        if type_.word == "raw":
            return array_start(1) + binary(value)
        return array_start(len(type_.fields)) + b"".join(self.field(field, value[field.name]) for field in type_.fields)

    def field(self, field, value):
        if field.shape == "one":
            return self.element(field, value)
        if field.shape == "optional":
            if value is None:
                return b"\xc0"
            value = [value]
        return array_start(len(value)) + b"".join(self.element(field, item) for item in value)

    def element(self, field, value):
        kind = field.kind
        if kind in INTEGERS:
            return shortest(value)
        if kind == "f32":
            return struct.pack(">Bf", 0xca, value)
        if kind == "f64":
            return struct.pack(">Bd", 0xcb, value)
        if kind == "boolean":
            return b"\xc3" if value else b"\xc2"
        if kind == "string":
            return string(value.encode(errors="surrogateescape"))
        if kind in ("bytes", "any"):
            return binary(value)
        if kind == "user":
            return self.message(field.type, value)
        if kind in HANDLES and value is not None and value is not nothing:
            return shortest(self.number_of(value))
        return b"\xc0"


class Nil:
    pass


class Array:
    """The beginning of one."""

    def __init__(self, count):
        self.count = count


class Map(Array):
    pass


class Extension:
    pass


class Float32(float):
    pass


class Decoder:
    """Every value is asked for by who knows what it must be: next() gives a number, a bool, str or bytes as they are, and of an array or a map
    only its beginning."""

    def __init__(self, body, handle_of):
        self.body, self.offset = body, 0
        self.handle_of = handle_of
        self.items_left = len(body)
        self.depth = self.containers = 0

    def take(self, size):
        end = self.offset + size
        if end > len(self.body):
            raise Malformed("ends too early")
        taken, self.offset = bytes(self.body[self.offset:end]), end
        return taken

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0]

    def next(self):
        code = self.number("B")
        if code < 0x80:
            return code
        if code < 0x90:
            return self.begin(Map(code & 15))
        if code < 0xa0:
            return self.begin(Array(code & 15))
        if code < 0xc0:
            return self.string(code & 31)
        if code >= 0xe0:
            return code - 256
        if code in (0xc0, 0xc2, 0xc3):
            return {0xc0: Nil, 0xc2: False, 0xc3: True}[code]
        if code in (0xc4, 0xc5, 0xc6):
            return self.take(self.number("BHI"[code - 0xc4]))
        if code in (0xd9, 0xda, 0xdb):
            return self.string(self.number("BHI"[code - 0xd9]))
        if 0xcc <= code <= 0xd3:
            return self.number("BHIQbhiq"[code - 0xcc])
        if code == 0xca:
            return Float32(self.number("f"))
        if code == 0xcb:
            return self.number("d")
        if code in (0xdc, 0xdd):
            return self.begin(Array(self.number("HI"[code - 0xdc])))
        if code in (0xde, 0xdf):
            return self.begin(Map(self.number("HI"[code - 0xde])))
        if 0xd4 <= code <= 0xd8:
            self.take(1 + (1 << (code - 0xd4)))
            return Extension
        if code in (0xc7, 0xc8, 0xc9):
            self.take(1 + self.number("BHI"[code - 0xc7]))
            return Extension
        raise Malformed("no MessagePack")

    def string(self, size):
        return self.take(size).decode(errors="surrogateescape")

    def begin(self, container):
        self.items_left -= container.count * (2 if isinstance(container, Map) else 1)
        if self.items_left < 0:
            raise Malformed("more items than bytes")
        return container

    def skip(self):
        value = self.next()
        if isinstance(value, Array):
            self.containers += 1
            if self.containers > MAX_CONTAINERS:
                raise Malformed("too deep")
            for _ in range(value.count * (2 if isinstance(value, Map) else 1)):
                self.skip()
            self.containers -= 1

    def array(self, least, most):
        value = self.next()
        if type(value) is not Array or not least <= value.count <= most:
            raise Malformed("not so many items")
        return value.count

    def whole_message(self, type_):
        self.own_type = type_
        value = self.message(type_)
        self.end()
        return value

    def end(self):
        if self.offset != len(self.body):
            raise Malformed("something is left")

    def message(self, type_):
        if isinstance(type_, Enum):
            return type_.choose(self.integer(0, 2**64))
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Malformed("too deep")
        value = self.variant(type_) if isinstance(type_, Variant) else self.fields(type_)
        self.depth -= 1
        return value["bytes"] if type_.word == "raw" else value

    def variant(self, type_):
        self.array(2, 2)
        field = type_.choose(self.integer(0, 2**64))
        return field.name, self.element(field)

    def fields(self, type_):
        may_differ = type_ is self.own_type
        n = len(type_.fields)
        count = self.array(type_.n_required if may_differ else n, 2**32 if may_differ else n)
        value = {field.name: self.field(field) for field in type_.fields[:count]}
        value.update({field.name: None for field in type_.fields[count:]})
        for _ in range(n, count):
            self.skip()
        return value

    def field(self, field):
        if field.shape == "one":
            return self.element(field)
        if field.shape == "optional":
            if self.body[self.offset:self.offset + 1] == b"\xc0":
                return self.skip()
            self.array(1, 1)
            value = self.element(field)
            return nothing if value is None else value
        count = self.array(*((0, 2**32) if field.shape == "array" else (field.count, field.count)))
        return [self.element(field) for _ in range(count)]

    def integer(self, least, end):
        value = self.next()
        if type(value) is not int or not least <= value < end:
            raise Malformed("no such integer")
        return value

    def element(self, field):
        kind = field.kind
        if kind == "user":
            return self.message(field.type)
        if kind in INTEGERS:
            return self.integer(*INTEGERS[kind])
        value = self.next()
        if kind == "unit" and value is Nil:
            return None
        if kind in HANDLES and value is Nil:
            return None
        if kind in HANDLES and type(value) is int and value >= 0:
            return self.handle_of(value, kind, field.type)
        wanted = {"f32": Float32, "f64": float, "boolean": bool, "string": str, "bytes": bytes, "any": bytes}.get(kind)
        if type(value) is not wanted or (kind == "string" and "\0" in value):
            raise Malformed(f"not {kind}")
        if kind == "any":
            value_in_it = Decoder(value, None)
            value_in_it.skip()
            value_in_it.end()
        return float(value) if kind == "f32" else value

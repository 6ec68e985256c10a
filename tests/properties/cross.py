"""Types, texts, fingerprints and encodings of random types and messages, as the library has them (dump.c), and as the peer has them that was
written from channel/WIRE.md alone (tests/channel/wire): byte by byte the same. Bodies of which something was changed are taken by both or by
neither, and mean the same.

    cross.py WIRE_FOLDER DUMP_PROGRAM [--seed N] [--cases N] [--first N]
"""

import json
import math
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])

from leat_types import MESSAGEPACK, Enum, Malformed, Message, Variant, decode, encode, nothing, opaque, raw  # noqa: E402

KINDS = [None, "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "boolean", "string", "bytes", "any", "unit", "user",
         "descriptor", "shared_memory", "sender", "receiver"]
SHAPES = [None, "one", "optional", "array", "fixed_array"]
RAW, OPAQUE = 10000, 10001

counts = {"types": 0, "bodies": 0, "changed bodies": 0, "taken": 0}


def expect(is_true, *what):
    if not is_true:
        raise AssertionError(*what)


# ---- types ----

def words(field, types):
    name, kind, shape, count, number = field
    kind = KINDS[kind]
    type_ = {RAW: raw, OPAQUE: opaque}.get(number) or (types[number] if number >= 0 else None)
    element = type_ if kind == "user" else (kind, type_) if type_ else kind
    return {"one": (), "optional": ("optional",), "array": ("array",), "fixed_array": ("fixed_array", count)}[SHAPES[shape]] + (element, name)


def make_type(rows):
    """The first of them."""
    if not rows:
        return raw
    types = [{1: Message, 2: Variant, 3: Enum}[kind](name) for kind, name, _ in rows]
    for type_, (_, _, fields) in zip(types, rows):
        if isinstance(type_, Enum):
            type_.define(*[field[0] for field in fields])
        else:
            type_.define(*[words(field, types) for field in fields])
    return types[0]


def check_identity(told):
    """Text and fingerprint. Returns the type."""
    type_ = make_type(told["types"])
    expect(type_.text() == bytes.fromhex(told["text"]).decode(), "text", type_.text())
    expect(type_.fingerprint().bytes().hex() == told["fingerprint"], "fingerprint", type_.text())
    counts["types"] += 1
    return type_


# ---- values ----

def element_of(field, told):
    if field.kind == "user":
        return value_of(field.type, told)
    if field.kind == "f32":
        return struct.unpack("<f", struct.pack("<I", told))[0]
    if field.kind == "f64":
        return struct.unpack("<d", struct.pack("<Q", told))[0]
    if field.kind == "string":
        return bytes.fromhex(told).decode(errors="surrogateescape")
    return bytes.fromhex(told) if field.kind in ("bytes", "any") else told


def field_of(field, told):
    if field.shape == "one":
        return element_of(field, told)
    items = [element_of(field, item) for item in told]
    if field.shape != "optional":
        return items
    return None if not items else nothing if items[0] is None else items[0]


def value_of(type_, told):
    if isinstance(type_, Enum):
        return type_.names[told]
    if isinstance(type_, Variant):
        field = type_.fields[told[0]]
        return field.name, element_of(field, told[1])
    if type_ is raw:
        return bytes.fromhex(told[0])
    return {field.name: field_of(field, item) for field, item in zip(type_.fields, told)}


def has_nan(value):
    """Which Python does not always keep as it was."""
    if isinstance(value, dict):
        return any(has_nan(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_nan(item) for item in value)
    return isinstance(value, float) and math.isnan(value)


# ---- cases ----

def no_handles(*_):
    raise Malformed("no handle came along")


def check_try(type_, encoding, body, again):
    counts["changed bodies"] += 1
    try:
        value = decode(type_, encoding, bytes.fromhex(body), no_handles)
    except Malformed as error:
        expect(again is None, "only the library takes", body, error)
        return
    expect(again is not None, "only the peer takes", body)
    counts["taken"] += 1
    if not has_nan(value):
        expect(encode(type_, value, no_handles)[1].hex() == again, "changed", body)


def check_case(told):
    type_ = check_identity(told["own"])
    if told["body"] is not None:
        value = value_of(type_, told["value"])
        encoding, body = encode(type_, value, lambda handle: handle)
        expect(encoding == told["encoding"], "encoding")
        expect(body.hex() == told["body"], "body", body.hex())
        back = decode(type_, encoding, body, lambda number, kind, end: number)
        expect(encode(type_, back, lambda handle: handle)[1] == body, "decoded")
        counts["bodies"] += 1
    for name in ("twin", "changed"):
        if name in told:
            relative = check_identity(told[name])
            expect(type_.fingerprint().is_compatible(relative.fingerprint()) == told[name + "_compatible"], name)
    for each in told["tries"]:
        check_try(type_, *each)


def main():
    start, arguments = time.monotonic(), sys.argv[3:]
    if "--seed" not in arguments:
        arguments += ["--seed", str(time.time_ns() // 1000)]
    dump = subprocess.Popen([sys.argv[2]] + arguments, stdout=subprocess.PIPE, env={**os.environ, "LEAT_LANES": "never"})
    n = 0
    for line in dump.stdout:
        told = json.loads(line)
        try:
            check_case(told)
        except Exception:
            print(f"case {told['number']} failed:", " ".join(arguments), "; repeat it with --first and --cases 1", flush=True)
            raise
        n += 1
    expect(dump.wait() == 0, "the library's side failed")
    print(f"the same in Python: {' '.join(arguments)}, cases {n},", ", ".join(f"{name} {count}" for name, count in counts.items()) + ",",
          f"{time.monotonic() - start:.1f} s")


main()

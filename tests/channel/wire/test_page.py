"""The examples of channel/WIRE.md are what the peer that was written from it makes.

    test_page.py channel/WIRE.md"""

import pathlib
import re
import struct
import sys
import unittest

from leat_packets import GREETING, MESSAGE, packet
from leat_types import Message, decode, encode

PAGE = pathlib.Path(sys.argv.pop()).read_text()
EXAMPLES = [bytes.fromhex(block) for block in re.findall(r"```\n([0-9a-f \n]+)```", PAGE.split("## Examples")[-1])]

NUMBER = Message("number", ("u64", "value"))
WITH_UNIT = Message("number", ("u64", "value"), ("optional", "string", "unit"))


def message(type_, value):
    encoding, body = encode(type_, value)
    return b"".join(packet(MESSAGE, type_.fingerprint().tag, body, encoding))


class TestPage(unittest.TestCase):
    def test_examples(self):
        body = struct.pack("<Q", 7)
        fingerprint = WITH_UNIT.fingerprint()
        self.assertEqual(EXAMPLES, [
            NUMBER.fingerprint().base,
            message(NUMBER, {"value": 7}),
            struct.pack("<Q", len(body) | 1 << 32 | 1 << 40) + body,
            fingerprint.tails[0],
            b"".join(packet(GREETING, fingerprint.tag, fingerprint.bytes() + WITH_UNIT.text().encode())),
            message(WITH_UNIT, {"value": 7, "unit": "km"}),
        ])

    def test_text_of_the_example(self):
        self.assertIn(NUMBER.text().strip(), PAGE)
        self.assertIn(WITH_UNIT.text().strip(), PAGE)

    def test_both_read_each_other(self):
        self.assertEqual(decode(NUMBER, *encode(WITH_UNIT, {"value": 7, "unit": "km"})), {"value": 7})
        self.assertEqual(decode(WITH_UNIT, *encode(NUMBER, {"value": 7})), {"value": 7, "unit": None})


if __name__ == "__main__":
    unittest.main()

"""Takes the files out of the README's text.

A block whose first line is a comment that begins with a file's name ("/* parent.c: …", "# client.py: …") is that file;
the block of JSON is kernelconfig.json; what follows "$ ./parent" is what that prints, found as "./parent".
"""

import re


def files(readme):
    found = {}
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL):
        name = re.match(r"(?:/\*|#) ([a-z_]+\.(?:c|h|py)):", text)
        if name:
            found[name[1]] = text
        elif language == "json":
            found["kernelconfig.json"] = text
        elif command := re.match(r"\$ (\./[a-z]+)\n", text):
            found[command[1]] = text.split("\n", 1)[1]
    return found

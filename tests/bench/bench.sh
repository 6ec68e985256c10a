#!/bin/sh
# leat-bench knows its benchmarks, measures every peer of them without losing a message, writes JSON that can be read,
# and says in one line what is wrong with its arguments.
#
# Its report is a page that needs nothing else, with plots that are well-formed, whatever a result calls itself; its targets
# say of each what came out, and a missed one is no failure.
#
# usage: bench.sh PROGRAM
set -u
failures=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

fail() {
        echo "$*"
        failures=1
}

names=$("$1" --list | cut -d ' ' -f 1)
[ "$(printf '%s\n' "$names" | wc -l)" -ge 20 ] || fail "few benchmarks: $names"

# All but the largest, which take long.
# shellcheck disable=SC2086,SC2046 # one word a name
output=$("$1" --seconds 0.01 --rounds 1 --json "$folder/all.json" $(printf '%s\n' $names | grep -v -e 4m -e 16m))
printf '%s\n' "$output"
for word in machine: kernel: pinning: plain64: 'bare ring' 'SEQPACKET pair' 'mutex queue' Leat; do
        case $output in
        *"$word"*) ;;
        *) fail "the output lacks: $word" ;;
        esac
done
python3 - "$folder/all.json" <<'PYTHON' || fail "the JSON is not as described"
import json, sys
everything = json.load(open(sys.argv[1]))
assert everything["leat_bench"] == 1
assert everything["conditions"]["rounds"] == 1
for benchmark in everything["benchmarks"]:
    assert benchmark["peers"], benchmark["name"]
    for peer in benchmark["peers"]:
        if not peer["error"]:
            assert peer["per_second"]["median"] > 0, (benchmark["name"], peer["name"])
        else: # What is too large for a peer is no failure of it.
            assert peer["error"] == "Operation not supported", (benchmark["name"], peer["name"], peer["error"])
PYTHON
# The page of that result, and of one in which every name means something in HTML.
cat >"$folder/odd.json" <<'JSON'
{ "leat_bench": 1,
  "conditions": { "processor": "<script>&\"'", "machine": "m", "kernel": "k", "time": "t", "command": "c", "cores": 2 },
  "targets": [ { "measure": "a<b", "goal": "&", "verdict": "not met", "ratio": "<", "remark": "</table>" }, 7 ],
  "benchmarks": [
    { "name": "../<odd>", "title": "<b>", "kind": "one-way", "size": 64, "peers": [
      { "name": "<i>", "title": "</svg>&", "wait": "<", "error": "</figure>", "per_second": { "median": 5, "least": 5, "most": 5 } } ] },
    { "name": "nothing", "title": "", "kind": "round-trip", "peers": [ { "round_trip_histogram": [ [0, 1], [64, 0], 3 ] }, null ] },
    { "name": "one", "kind": "one-way", "family": "copy", "size": 64, "peers": [
      { "name": "p", "title": "p", "per_second": { "median": 1e300 }, "bytes_per_second": { "median": 1e-300 } },
      { "name": "q", "title": "q", "per_second": { "median": 1e18 }, "bytes_per_second": { "median": 1e-9 } } ] },
    "word" ] }
JSON
"$1" report --from "$folder/all.json" --plots "$folder/plots" "$folder/all.html" || fail "no page of the result"
"$1" report --from "$folder/odd.json" --from "$folder/all.json" --plots "$folder/plots" "$folder/odd.html" ||
        fail "no page of an odd result"
python3 - "$folder" <<'PYTHON' || fail "the page is not as it should be"
import glob, html.parser, re, sys
import xml.etree.ElementTree as xml

VOID = {"meta", "link", "br", "img", "input", "hr"}

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.ids = [], [], set()
    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            assert name not in ("src", "href") or value.startswith("#"), (tag, name, value)
            if name == "id":
                assert value not in self.ids, value
                self.ids.add(value)
    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

def check(svg):
    root = xml.fromstring(svg)
    assert root.tag.endswith("svg")
    names = [child.tag.split("}")[1] for child in root]
    assert names[:2] == ["title", "desc"], names[:2]
    assert "nan" not in svg.lower().replace("nanomsg", "") and "inf" not in re.sub("<desc.*</desc>|<title.*</title>", "", svg), svg

for name in ("all", "odd"):
    text = open(f"{sys.argv[1]}/{name}.html", encoding="utf-8").read()
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, page.open
    for tag in ("script", "img", "link", "iframe", "b", "i"):
        assert tag not in page.seen, tag
    assert "url(" not in text and "@import" not in text
    svgs = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(svgs) == page.seen.count("svg") >= 8, len(svgs)
    assert page.seen.count("table") >= len(svgs)
    for svg in svgs:
        check(svg)
    for word in ("pinning", "kernel", "prefers-color-scheme", "Leat, plain"):
        assert word in text, word
files = glob.glob(f"{sys.argv[1]}/plots/*.svg")
assert len(files) >= 8, files
for file in files:
    svg = open(file, encoding="utf-8").read()
    assert "<style>" in svg, file
    check(svg)
PYTHON
[ ! -e "$folder/odd.svg" ] || fail "a plot left its folder"
"$1" report --from "$folder/no-such.json" "$folder/x.html" 2>&1 | grep -q 'no-such.json' || fail "a missing result is not named"
echo '{}' >"$folder/empty.json"
"$1" report --from "$folder/empty.json" "$folder/x.html" 2>&1 | grep -q 'is not a result' || fail "no result is drawn"
"$1" report --from "$folder/all.json" "$folder/no/such/page.html" 2>&1 | grep -q 'No such file' ||
        fail "a page that cannot be written is not mentioned"
(cd "$folder" && "$1" report --seconds 0.01 --rounds 1 measured.html once >report.txt && grep -q '^measured.html' report.txt &&
        grep -q 'bare socket pairs' measured.html) || fail "no page of what was measured just now"

# Of one round nothing is judged (test_judge.c has more), but everything is measured and said, and the program does not call
# it a failure.
output=$("$1" targets --seconds 0.01 --rounds 1 --runs 1 --json "$folder/targets.json") || fail "targets: exit code $?"
printf '%s\n' "$output"
case $output in
*'about '*'bare ring'*'mutex queue'*'not counted'*'fewer than 7 rounds'*' met, '*) ;;
*) fail "targets says too little" ;;
esac
python3 - "$folder/targets.json" <<'PYTHON' || fail "the targets' JSON is not as described"
import json, sys
targets = json.load(open(sys.argv[1]))["targets"]
assert len(targets) >= 25
for target in targets:
    assert target["verdict"] in ("met", "not met", "not counted", "not measured"), target
    assert len(target["each"]) == 1
    assert target["probes"].endswith(" ns") or target["probes"] == "one core", target
    assert target["stolen"].endswith(" %") and 0 <= target["each"][0]["stolen"] <= 1, target
    assert target["verdict"] != "met", "of one round"
    if target["verdict"] == "not measured":
        assert "is not installed" in target["remark"] or "failed" in target["remark"], target
    if target["verdict"] == "not met":
        assert "failed" in target["remark"], target
PYTHON
"$1" report --from "$folder/targets.json" "$folder/targets.html" && grep -q 'What must be reached' "$folder/targets.html" ||
        fail "no page of targets"

"$1" --help | grep -q -e '--rounds' || fail "no help"
"$1" --help >/dev/full 2>&1 && fail "output that is lost is no failure"
"$1" targets --json "$folder/no/such/folder" 2>&1 | grep -q 'cannot be written: No such file' ||
        fail "JSON that cannot be written is not mentioned before the measuring"
[ "$("$1" --seconds 0.01 --rounds 1 channels | grep -c '^channels[0-9]*:')" -eq 3 ] || fail "a family is not its benchmarks"
"$1" --seconds 0.01 --rounds 1 --json "$folder/no/such/folder" clone 2>&1 | grep -q 'cannot be written' ||
        fail "JSON that cannot be written is not mentioned"

# Each line is one wrong command line.
while read -r arguments; do
        # shellcheck disable=SC2086 # several words
        output=$("$1" $arguments 2>&1)
        code=$?
        [ $code -eq 2 ] || fail "$arguments: exit code $code"
        [ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ] || fail "$arguments: not one line: $output"
        [ -n "$output" ] || fail "$arguments: nothing said"
done <<'TEXT'
--seconds 0
--seconds
--seconds x
--seconds nan
--rounds 0
--rounds 1.5
--rounds 1001
--size 15
--size 17
--pin here
--pin
--nonsense
--runs 3
targets --runs 0
targets --runs 10
targets --size 64
targets --pin same
targets once
--markdown
--from x
--plots x
report x.html no-such-benchmark
report once
report --from x --rounds 3
report --from
-x
word
TEXT
exit $failures

"""The manual pages: man shows them without a complaint, nothing public is missing, and their examples run as they stand there.

usage: test_manual.py ROOT BUILD COMPILER [FLAG…]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from compile import compile

ROOT = pathlib.Path(sys.argv[1])
BUILD = pathlib.Path(sys.argv[2])
COMPILER = sys.argv[3:]
PAGES = sorted((ROOT / "channel" / "man").glob("*.[37]"))
KERNEL_PAGE = ROOT / "kernel" / "man" / "leat-kernel.1"
KERNEL = BUILD / "bin" / "leat-kernel"
MANUAL = BUILD / "channel" / "man"  # As it will be installed: compressed, and with a link for each name.
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "EXAMPLES", "ERRORS", "SEE ALSO"]
# Words that are macros of mdoc(7) wherever they stand in a heading, unless \& is before them.
MACROS = set(
    "Ac Ad An Ao Ap Aq Ar At Bc Bo Bq Brc Bro Brq Bsx Bx Cd Cm Dc Do Dq Dv Dx Ec Em En Eo Er Es Ev Fa Fl Fn Fr Ft Fx Ic In Li Lk Ms Mt "
    "Nm No Ns Nx Oc Oo Op Ot Ox Pa Pc Pf Po Pq Qc Ql Qo Qq Sc So Sq St Sx Sy Ta Tn Ux Va Vt Xc Xo Xr".split()
)
SHOWN = os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "120", "MANPATH": str(MANUAL)}


def run(*command):
    return subprocess.run(command, env=SHOWN, capture_output=True, text=True)


def shown(page):
    result = run("man", "-l", page)
    result.check_returncode()
    return result.stdout


def names(page):
    head = page.read_text().split("\n.Sh ", 2)[1]
    return re.findall(r"^\.Nm (\w+)", head, re.MULTILINE)


def promises():
    """What the headers say that functions return: the functions that share a comment, and the outcomes and errnos in it."""
    headers = [header.read_text() for header in sorted((ROOT / "channel" / "include" / "leat").glob("*.h"))]
    outcomes = {outcome for text in headers for outcome in re.findall(r"^ +(LEAT_[A-Z_]+) = \d+,? ", text, re.MULTILINE)}
    for text in headers:
        for comment, functions in re.findall(r"/\*((?:(?!\*/).)*)\*/\n((?:LEAT_PUBLIC [^;]*;[^\n]*\n)+)", text, re.DOTALL):
            said = {word for word in re.findall(r"\bLEAT_[A-Z_]+\b|-E[A-Z0-9]+\b", comment)}
            yield re.findall(r"\b(leat_\w+)\(", functions), {word for word in said if word[0] == "-" or word in outcomes}


def types(declaration):
    """A function's name, and its types without the names of its parameters: "int leat_f(const char *a)" is ("leat_f", "int(const char*)")."""
    result, name, parameters = re.fullmatch(r"(.*?)\b(\w+) ?\((.*)\)", " ".join(declaration.split())).groups()
    bare = []
    for parameter in re.split(r",(?![^()]*\))", parameters):  # Not at the commas of a parameter that is a function.
        parameter = re.sub(r"\(\*(const )?\w+\)\(.*\)", "(*)()", parameter)
        bare.append(parameter if "(*)" in parameter else re.sub(r"(?<=[ *])\w+$", "", parameter))
    return name, re.sub(r" ?([*()]) ?", r"\1", f"{result}({','.join(part.strip() for part in bare)})").strip()


def declared():
    """What the headers declare: functions of the library, and those that a type T (and its answers' R) has."""
    for header in sorted((ROOT / "channel" / "include" / "leat").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL).replace("\\\n", " ")
        yield from map(types, re.findall(r"^LEAT_PUBLIC ([^;]*);", text, re.MULTILINE))
        for end in ("sender", "receiver"):
            expanded = re.sub(r"\b([TR])##", r"\1", re.sub(r"##end(##)?", end, text))
            yield from map(types, re.findall(r"LEAT_FUNCTION_ ([^{;#]*?)\s*\{", expanded))


def shown_functions(page):
    """The same, as a page's SYNOPSIS has it."""
    synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh", page.read_text(), re.MULTILINE | re.DOTALL)[1]
    for result, call in re.findall(r"^\.Ft (.*)\n\.F[no] (.*(?:\n\.Fa .*)*)", synopsis, re.MULTILINE):
        name, *parameters = (quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', call.replace("\n.Fa ", " ")))
        yield types(f"{result.strip(chr(34))} {name}({', '.join(parameters)})")


def displays(page):
    """The programs that a page shows, each a name, its text and what it prints: read from what man shows, as a reader does."""
    examples = re.search(r"^EXAMPLES\n(.*?)^\S", shown(page), re.MULTILINE | re.DOTALL)
    text = textwrap.dedent(examples[1]) if examples else ""
    return re.findall(r"^(/\* (\w+)\.c: .*?^}\n)\n+\$ \./\2\n(.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)


class Text(unittest.TestCase):
    def test_man_shows_every_page_without_a_complaint(self):
        self.assertGreater(len(PAGES), 0)
        for page in (*PAGES, KERNEL_PAGE):
            result = run("man", "--warnings", "-l", page)
            self.assertEqual((page.name, result.returncode, result.stderr), (page.name, 0, ""))

    def test_mandoc_has_nothing_to_say_either(self):
        result = run("mandoc", "-Tlint", "-Wstyle", *PAGES, KERNEL_PAGE)
        # It looks for the pages that are referred to on this system, where they need not be.
        said = [line for line in result.stdout.splitlines() if "referenced manual not found" not in line]
        self.assertEqual("\n".join(said), "")

    def test_every_page_says_all_that_a_page_must(self):
        for page in PAGES:
            wanted = [part for part in SECTIONS if page.suffix == ".3" or part not in ("RETURN VALUES", "ERRORS")]
            found = re.findall(r'^\.Sh (.*)', page.read_text(), re.MULTILINE)
            self.assertEqual((page.name, [part for part in found if part in wanted]), (page.name, wanted))

    def test_no_word_of_a_heading_is_taken_for_a_macro(self):
        for page in (*PAGES, KERNEL_PAGE):
            for heading in re.findall(r"^\.S[hs] (.*)", page.read_text(), re.MULTILINE):
                self.assertEqual((page.name, heading, MACROS & set(heading.split())), (page.name, heading, set()))

    def test_a_page_is_referred_to_only_if_it_is_there(self):
        ours = {page.name for page in PAGES}
        for page in PAGES:
            for name, section in re.findall(r"^\.(?:It )?Xr (leat\w*) (\d)", page.read_text(), re.MULTILINE):
                self.assertIn(f"{name}.{section}", ours, page.name)


    def test_the_overview_names_every_page(self):
        overview = (ROOT / "channel" / "man" / "leat.7").read_text()
        listed = re.findall(r"^\.It Xr (leat_\w+) 3$", overview, re.MULTILINE)
        self.assertEqual(sorted(listed), [page.stem for page in PAGES if page.suffix == ".3"])


class Names(unittest.TestCase):
    def test_every_public_function_has_its_page(self):
        symbols = (ROOT / "channel" / "leat.symbols").read_text()
        public = re.findall(r"^ +(leat_\w+);$", symbols, re.MULTILINE)
        documented = {name for page in PAGES for name in names(page)}
        self.assertGreater(len(public), 0)
        self.assertEqual([name for name in public if name not in documented], [])

    def test_every_function_of_a_type_has_its_page(self):
        typed = {name for name, _ in declared() if not name.endswith(("_", "_type"))}  # Not for users.
        documented = {name for page in PAGES for name in names(page)}
        self.assertIn("T_send", typed)
        self.assertEqual(sorted(typed - documented), [])

    def test_every_name_stands_in_the_synopsis_too(self):
        for page in PAGES:
            if page.suffix == ".3":
                synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh", page.read_text(), re.MULTILINE | re.DOTALL)[1]
                called = set(re.findall(r"^\.F[no] (\w+)", synopsis, re.MULTILINE))
                self.assertEqual((page.name, set(names(page)) - called), (page.name, set()))

    def test_a_page_has_every_outcome_and_errno_that_the_headers_have(self):
        texts = {name: (page.name, page.read_text()) for page in PAGES for name in names(page)}
        missing = []
        for functions, said in promises():
            for function in functions:
                page, text = texts[function]
                missing += [(page, function, word) for word in sorted(said) if not re.search(rf"(?<!\w){word}\b", text)]
        self.assertEqual(missing, [])

    def test_a_synopsis_has_the_types_of_the_headers(self):
        header = dict(declared())
        for page in PAGES:
            for name, signature in shown_functions(page) if page.suffix == ".3" else ():
                self.assertEqual((page.name, name, signature), (page.name, name, header.get(name)))

    def test_every_outcome_is_explained(self):
        header = (ROOT / "channel" / "include" / "leat" / "error.h").read_text()
        page = (ROOT / "channel" / "man" / "leat_error.3").read_text()
        for outcome in re.findall(r"^ +(LEAT_\w+) = \d+", header, re.MULTILINE):
            self.assertRegex(page, rf"\n\.It Dv {outcome}\b")

    def test_man_finds_a_page_by_each_of_its_names(self):
        for section in "37":
            wanted = [(name, page.name) for page in PAGES if page.suffix[1:] == section for name in sorted({page.stem, *names(page)})]
            result = run("man", "-w", section, *(name for name, _ in wanted))  # A path for each name, in their order.
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            found = [pathlib.Path(path).resolve().name.removesuffix(".gz") for path in result.stdout.splitlines()]
            self.assertEqual(list(zip((name for name, _ in wanted), found, strict=True)), wanted)


class Examples(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def runs_as_shown(self, text, program, output):
        (self.folder / f"{program}.c").write_text(text)
        compile(ROOT, BUILD, COMPILER, self.folder, [f"{program}.c"], program, "-pthread", "-lleat")
        for lanes in ("automatic", "always", "never"):
            result = subprocess.run(
                [f"./{program}"], cwd=self.folder, capture_output=True, text=True, env=os.environ | {"LEAT_LANES": lanes}
            )
            self.assertEqual((lanes, result.returncode, result.stderr), (lanes, 0, ""))
            self.assertEqual(result.stdout.strip(), output.strip())

    def test_each_page_has_a_program_that_prints_what_it_shows(self):
        for page in PAGES:
            with self.subTest(page=page.name):
                programs = displays(page)
                self.assertNotEqual(programs, [])
                for text, program, output in programs:
                    self.runs_as_shown(text, program, output)


@unittest.skipUnless(KERNEL.exists(), "the kernel is not built")
class Kernel(unittest.TestCase):
    def test_its_page_has_every_option_and_every_key(self):
        options = re.findall(r"--[a-z-]+", run(KERNEL, "--help").stdout)
        readme = (ROOT / "README.md").read_text().split("\n## The kernel\n")[1].split("\n### ")[0]
        keys = [key for row in re.findall(r"^\| (`.*?) \|", readme, re.MULTILINE) for key in re.findall(r"[A-Za-z]+(?=`)", row)]
        self.assertGreater(len(options), 0)
        self.assertGreater(len(keys), 0)
        text = shown(KERNEL_PAGE)
        self.assertEqual([word for word in (*options, *keys) if not re.search(rf"(?<![\w-]){word}\b", text)], [])

    def test_its_example_is_a_configuration(self):
        example = re.search(r"^EXAMPLES\n.*?(^ *{$.*?^ *}$)", shown(KERNEL_PAGE), re.MULTILINE | re.DOTALL)[1]
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "kernelconfig.json").write_text(example)
            command = [KERNEL, "--config", "kernelconfig.json"]
            result = subprocess.run(command, cwd=folder, input="list\nquit\n", capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertRegex(result.stdout, r"EventSimulator connected=")
            self.assertRegex(result.stdout, r"MetricLogger connected=")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])

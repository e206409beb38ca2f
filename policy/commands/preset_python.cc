// SPDX-License-Identifier: Apache-2.0
// Presets: the interpreter and what runs tests. Sources: `python --help`, docs.python.org/3/using/cmdline.html, `pytest --help` of 7.2 and 8.
#include "policy/commands/preset_texts.h"

namespace wardenv::policy::preset_texts {

// Not: -p, -c, --rootdir, --confcutdir, -o, --import-mode, --pdbcls (other code or another configuration), --basetemp (empties a folder),
// --pastebin (uploads), --debug, --log-file (write files), --tx, --rsyncdir (start other programs), --pyargs, -f and --pdb (never end).
// -W only with a category that is built in: pytest imports the module of any other.
// A path ends at "::", and holds no "[" before that, as older releases cut the path there. None begins with a dash, also after `--`: the search
// for plugins comes before the arguments are parsed, and knows of no `--`.
const std::string_view kPytest = R"({
  "standalone": ["--version", "-V", "--help", "-h"],
  "flags": {
    "-x": "none", "--exitfirst": "none", "--maxfail": {"integer": [0, 1000000]},
    "-v": "none", "--verbose": "none", "-q": "none", "--quiet": "none", "--verbosity": {"integer": [-10, 10]},
    "-s": "none", "--capture": {"enum": ["fd", "sys", "no", "tee-sys"]}, "--show-capture": {"enum": ["no", "stdout", "stderr", "log", "all"]},
    "-l": "none", "--showlocals": "none", "--no-showlocals": "none", "--full-trace": "none", "--no-header": "none", "--no-summary": "none",
    "--tb": {"enum": ["auto", "long", "short", "line", "native", "no"]}, "-r": {"regex": "[fEsxXpPwaAN]+"},
    "--color": {"enum": ["yes", "no", "auto"]}, "--code-highlight": {"enum": ["yes", "no"]},
    "-k": "string", "-m": "string", "--deselect": "string", "--ignore": {"path_under": "{workspace}"}, "--ignore-glob": "string",
    "--lf": "none", "--last-failed": "none", "--ff": "none", "--failed-first": "none", "--nf": "none", "--new-first": "none",
    "--lfnf": {"enum": ["all", "none"]}, "--last-failed-no-failures": {"enum": ["all", "none"]},
    "--sw": "none", "--stepwise": "none", "--sw-skip": "none", "--stepwise-skip": "none", "--cache-clear": "none", "--cache-show": {"optional": "string"},
    "--co": "none", "--collect-only": "none", "--fixtures": "none", "--funcargs": "none", "--fixtures-per-test": "none", "--markers": "none",
    "--setup-only": "none", "--setup-show": "none", "--setup-plan": "none", "--runxfail": "none", "--noconftest": "none", "--keep-duplicates": "none",
    "--continue-on-collection-errors": "none", "--strict": "none", "--strict-markers": "none", "--strict-config": "none",
    "--durations": {"integer": [0, 1000000]}, "--durations-min": {"regex": "[0-9]{1,6}(\\.[0-9]{1,6})?"},
    "--disable-warnings": "none", "--disable-pytest-warnings": "none", "--assert": {"enum": ["plain", "rewrite"]},
    "-W": {"regex": "(default|error|ignore|always|module|once)(::[A-Za-z]{1,60})?"},
    "--pythonwarnings": {"regex": "(default|error|ignore|always|module|once)(::[A-Za-z]{1,60})?"},
    "--junit-xml": {"all_of": [{"path_under": "{workspace}"}, {"regex": ".+\\.xml"}]},
    "--junitxml": {"all_of": [{"path_under": "{workspace}"}, {"regex": ".+\\.xml"}]},
    "--doctest-modules": "none", "--doctest-glob": "string", "--doctest-ignore-import-errors": "none", "--doctest-continue-on-failure": "none",
    "--doctest-report": {"enum": ["none", "cdiff", "ndiff", "udiff", "only_first_failure"]},
    "--log-level": {"regex": "[A-Za-z0-9]{1,20}"}, "--log-cli-level": {"regex": "[A-Za-z0-9]{1,20}"},
    "--cov": {"optional": {"any_of": [{"regex": "[A-Za-z_][A-Za-z0-9_.]*"}, {"path_under": "{workspace}"}]}},
    "--cov-report": {"enum": ["term", "term-missing", "term:skip-covered", "term-missing:skip-covered", "html", "xml", "json", "lcov", "annotate"]},
    "--cov-fail-under": {"regex": "[0-9]{1,3}(\\.[0-9]{1,6})?"}, "--cov-append": "none", "--cov-branch": "none", "--cov-reset": "none",
    "--no-cov": "none", "--no-cov-on-fail": "none",
    "-n": {"any_of": [{"integer": [0, 256]}, {"enum": ["auto", "logical"]}]}, "--numprocesses": {"any_of": [{"integer": [0, 256]}, {"enum": ["auto", "logical"]}]},
    "--dist": {"enum": ["no", "each", "load", "loadscope", "loadfile", "loadgroup", "worksteal"]}, "--maxprocesses": {"integer": [1, 256]},
    "--timeout": {"regex": "[0-9]{1,6}(\\.[0-9]{1,6})?"}, "--timeout-method": {"enum": ["signal", "thread"]},
    "--asyncio-mode": {"enum": ["auto", "strict"]}
  },
  "positionals": {"all_of": [{"regex": "[^-\\[][^\\[]*(::.*)?"}, {"path_under": "{workspace}", "until": "::"}]}
})";

// `discover` and its folders are positionals like names of tests: all of them stay in the workspace. unittest calls whatever a dotted name leads
// to (`timeit.main` runs a program out of what follows): so a dotted name says that it is of a test, and a path is that of a folder or of a file
// of Python, in letters that make no expression. `test` as the last part is none: the library has functions of that name (http.server.test).
const std::string_view kUnittest = R"({
  "standalone": ["--help", "-h"],
  "flags": {
    "-v": "none", "--verbose": "none", "-q": "none", "--quiet": "none", "-f": "none", "--failfast": "none", "-b": "none", "--buffer": "none",
    "-c": "none", "--catch": "none", "--locals": "none", "-k": "string", "--durations": {"integer": [0, 1000000]},
    "-s": {"path_under": "{workspace}"}, "--start-directory": {"path_under": "{workspace}"},
    "-t": {"path_under": "{workspace}"}, "--top-level-directory": {"path_under": "{workspace}"},
    "-p": {"regex": "[A-Za-z0-9_.*?-]+"}, "--pattern": {"regex": "[A-Za-z0-9_.*?-]+"}
  },
  "positionals": {"any_of": [
    {"regex": "[A-Za-z_][A-Za-z0-9_]*"},
    {"regex": "([A-Za-z_][A-Za-z0-9_]*\\.)*(tests|test_[A-Za-z0-9_]*|[A-Za-z0-9_]+_tests?|Test[A-Za-z0-9_]*|[A-Za-z0-9_]+Tests?|[A-Za-z0-9_]+TestCase)(\\.[A-Za-z_][A-Za-z0-9_]*)*"},
    {"regex": "([A-Za-z_][A-Za-z0-9_]*\\.)*test(\\.[A-Za-z_][A-Za-z0-9_]*)+"},
    {"all_of": [{"path_under": "{workspace}"}, {"regex": "[A-Za-z0-9_./*?-]+\\.py|\\.|(\\./|/)?([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+/?"}]}]}
})";

// -W and -X as for pytest: only what imports and writes nothing of the caller's choice. Not: -c, -i, -x, --check-hash-based-pycs,
// modules that run a text (timeit, code, pdb) or a server.
#define WARDENV_PYTHON_FLAGS \
  R"("-B": "none", "-b": "none", "-d": "none", "-E": "none", "-I": "none", "-O": "none", "-P": "none", "-q": "none", "-s": "none", )" \
  R"("-S": "none", "-u": "none", "-v": "none", )" \
  R"("-W": {"regex": "(default|error|ignore|always|module|once)(::[A-Za-z]{1,60})?"}, )" \
  R"("-X": {"regex": "dev|faulthandler|importtime|no_debug_ranges|safe_path|showrefcount|tracemalloc(=[0-9]{1,3})?|utf8(=[01])?"})"
#define WARDENV_PYTHON_MODULES \
  R"({"unittest": {"preset": "unittest"}, "pytest": {"preset": "pytest"}, "pip": {"preset": "pip-readonly"}, "ruff": {"preset": "ruff"}, )" \
  R"("mypy": {"preset": "mypy"}, "black": {"preset": "black"}, "coverage": {"preset": "coverage"}, "build": {"preset": "build"}, )" \
  R"("json.tool": {"flags": {"--sort-keys": "none", "--no-ensure-ascii": "none", "--json-lines": "none", "--indent": {"integer": [0, 32]}, )" \
  R"("--tab": "none", "--no-indent": "none", "--compact": "none"}, )" \
  R"("positionals": {"all_of": [{"path_under": "{workspace}", "allow": ["stdin"]}, {"regex": "-|.+\\.json[5l]?", "allow": ["stdin"]}], "max": 2}}, )" \
  R"("compileall": {"flags": {"-l": "none", "-f": "none", "-q": "none", "-r": {"integer": [0, 100]}, "-j": {"integer": [0, 64]}}, )" \
  R"("positionals": {"path_under": "{workspace}", "min": 1}}, )" \
  R"("py_compile": {"flags": {"-q": "none", "--quiet": "none"}, "positionals": {"path_under": "{workspace}", "min": 1}}})"
#define WARDENV_PYTHON_MODULE_NAMES \
  R"(["unittest", "pytest", "pip", "ruff", "mypy", "black", "coverage", "build", "json.tool", "compileall", "py_compile"])"

const std::string_view kPython = R"({
  "standalone": ["--version", "-V", "-VV", "--help", "-h"],
  "flags": {"-m": {"enum": )" WARDENV_PYTHON_MODULE_NAMES R"(, "min": 1}, )" WARDENV_PYTHON_FLAGS R"(},
  "after": {"-m": )" WARDENV_PYTHON_MODULES R"(}
})";

// The first positional ends Python's own arguments; the script gets what follows, whatever it is.
const std::string_view kPythonScript = R"({
  "standalone": ["--version", "-V", "-VV", "--help", "-h"],
  "flags": {"-m": {"enum": )" WARDENV_PYTHON_MODULE_NAMES R"(}, )" WARDENV_PYTHON_FLAGS R"(},
  "after": {"-m": )" WARDENV_PYTHON_MODULES R"(},
  "interspersed": false,
  "positionals": [{"path_under": "{workspace}"},
                  {"string": true, "allow": ["at", "dash", "empty", "newline", "stdin"], "min": 0, "max": 1000}]
})";

}  // namespace wardenv::policy::preset_texts

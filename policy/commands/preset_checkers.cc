// SPDX-License-Identifier: Apache-2.0
// Presets: tools that check, format, measure and build. Sources: `--help` of black 23 to 25, coverage 6.5 to 7, mypy 1.0 to 1.15, ruff 0.4 to 0.12,
// build 0.9 to 1.2.
#include "policy/commands/preset_texts.h"

namespace wardenv::policy::preset_texts {

// Not: --config, -c, --stdin-filename, "-". What a pattern is given as is only matched.
const std::string_view kBlack = R"({
  "standalone": ["--version", "--help", "-h"],
  "flags": {
    "-l": {"integer": [1, 1000]}, "--line-length": {"integer": [1, 1000]}, "-t": {"regex": "py3[0-9]{1,2}"}, "--target-version": {"regex": "py3[0-9]{1,2}"},
    "--pyi": "none", "--ipynb": "none", "-x": "none", "--skip-source-first-line": "none", "-S": "none", "--skip-string-normalization": "none",
    "-C": "none", "--skip-magic-trailing-comma": "none", "--preview": "none", "--unstable": "none", "--check": "none", "--diff": "none",
    "--color": "none", "--no-color": "none", "--fast": "none", "--safe": "none", "--line-ranges": {"regex": "[0-9]{1,7}-[0-9]{1,7}"},
    "--include": "string", "--exclude": "string", "--extend-exclude": "string", "--force-exclude": "string", "--required-version": {"regex": "[0-9][0-9a-z.]*"},
    "-W": {"integer": [1, 64]}, "--workers": {"integer": [1, 64]}, "-q": "none", "--quiet": "none", "-v": "none", "--verbose": "none", "--no-cache": "none"
  },
  "positionals": {"path_under": "{workspace}", "min": 1}
})";

// Not: -C and --config-setting (arguments for the build's backend), --installer, --metadata.
const std::string_view kBuild = R"({
  "standalone": ["--version", "-V", "--help", "-h"],
  "flags": {
    "-s": "none", "--sdist": "none", "-w": "none", "--wheel": "none", "-o": {"path_under": "{workspace}"}, "--outdir": {"path_under": "{workspace}"},
    "-x": "none", "--skip-dependency-check": "none", "-n": "none", "--no-isolation": "none", "-v": "none", "--verbose": "none"
  },
  "positionals": {"path_under": "{workspace}", "max": 1}
})";

// Not: --rcfile (loads plugins), --debug, `run` of a script or of a module besides the test runners.
// `run` takes the module as its first positional, and only beside -m is that a module.
#define WARDENV_COVERAGE_INPUT \
  R"("--data-file": {"path_under": "{workspace}"}, "-i": "none", "--ignore-errors": "none", "--include": "string", "--omit": "string")"
#define WARDENV_COVERAGE_RUN \
  R"("-a": "none", "--append": "none", "--branch": "none", "-p": "none", "--parallel-mode": "none", "-L": "none", "--pylib": "none", )" \
  R"("--timid": "none", "--context": {"regex": "[A-Za-z0-9_.:-]+"}, "--concurrency": {"regex": "[a-z,]+"}, )" \
  R"("--data-file": {"path_under": "{workspace}"}, "--include": "string", "--omit": "string", )" \
  R"("--source": {"list": {"any_of": [{"regex": "[A-Za-z_][A-Za-z0-9_.]*"}, {"path_under": "{workspace}"}]}})"
const std::string_view kCoverage = R"({
  "standalone": ["--version", "--help", "-h"],
  "subcommands": {
    "run": {"flags": {"-m": {"none": true, "min": 1}, )" WARDENV_COVERAGE_RUN R"(},
            "subcommands": {"pytest": {"preset": "pytest"}, "unittest": {"preset": "unittest"}}},
    "report": {"flags": {)" WARDENV_COVERAGE_INPUT R"(, "--fail-under": {"regex": "[0-9]{1,3}(\\.[0-9]+)?"}, "--precision": {"integer": [0, 10]},
                         "-m": "none", "--show-missing": "none", "--skip-covered": "none", "--no-skip-covered": "none", "--skip-empty": "none",
                         "--sort": {"regex": "[-+]?[a-z]+", "allow": ["dash"]}, "--format": {"enum": ["text", "markdown", "total"]}},
               "positionals": {"any_of": [{"regex": "[A-Za-z_][A-Za-z0-9_.]*"}, {"path_under": "{workspace}"}]}},
    "html": {"flags": {)" WARDENV_COVERAGE_INPUT R"(, "-d": {"path_under": "{workspace}"}, "--directory": {"path_under": "{workspace}"},
                       "--fail-under": {"regex": "[0-9]{1,3}(\\.[0-9]+)?"}, "--precision": {"integer": [0, 10]}, "-q": "none", "--quiet": "none",
                       "--show-contexts": "none", "--skip-covered": "none", "--no-skip-covered": "none", "--skip-empty": "none", "--title": "string"},
             "positionals": {"path_under": "{workspace}"}},
    "json": {"flags": {)" WARDENV_COVERAGE_INPUT R"(, "-o": {"all_of": [{"path_under": "{workspace}", "allow": ["stdin"]}, {"regex": "-|.+\\.json", "allow": ["stdin"]}]}, "--pretty-print": "none",
                       "--fail-under": {"regex": "[0-9]{1,3}(\\.[0-9]+)?"}, "-q": "none", "--quiet": "none", "--show-contexts": "none"},
             "positionals": {"path_under": "{workspace}"}},
    "xml": {"flags": {)" WARDENV_COVERAGE_INPUT R"(, "-o": {"all_of": [{"path_under": "{workspace}", "allow": ["stdin"]}, {"regex": "-|.+\\.xml", "allow": ["stdin"]}]}, "--skip-empty": "none",
                      "--fail-under": {"regex": "[0-9]{1,3}(\\.[0-9]+)?"}, "-q": "none", "--quiet": "none"},
            "positionals": {"path_under": "{workspace}"}},
    "lcov": {"flags": {)" WARDENV_COVERAGE_INPUT R"(, "-o": {"all_of": [{"path_under": "{workspace}", "allow": ["stdin"]}, {"regex": "-|.+\\.(info|lcov)$", "allow": ["stdin"]}]},
                       "--fail-under": {"regex": "[0-9]{1,3}(\\.[0-9]+)?"}, "-q": "none", "--quiet": "none"},
             "positionals": {"path_under": "{workspace}"}},
    "combine": {"flags": {"-a": "none", "--append": "none", "--keep": "none", "-q": "none", "--quiet": "none", "--data-file": {"path_under": "{workspace}"}},
                "positionals": {"path_under": "{workspace}"}},
    "erase": {"flags": {"--data-file": {"path_under": "{workspace}"}}}
  }
})";

// Not: --python-executable (is started), --config-file (loads plugins), --custom-typeshed-dir, --shadow-file, --install-types, --non-interactive
// (install packages), -c, --pdb, @file.
#define WARDENV_MYPY_NAME R"({"regex": "[A-Za-z_][A-Za-z0-9_.]*"})"
#define WARDENV_MYPY_SWITCHES \
  R"("--strict": "none", "--disallow-any-unimported": "none", "--disallow-any-expr": "none", "--disallow-any-decorated": "none", )" \
  R"("--disallow-any-explicit": "none", "--disallow-any-generics": "none", "--disallow-subclassing-any": "none", )" \
  R"("--disallow-untyped-calls": "none", "--disallow-untyped-defs": "none", "--disallow-incomplete-defs": "none", )" \
  R"("--disallow-untyped-decorators": "none", "--check-untyped-defs": "none", "--no-check-untyped-defs": "none", )" \
  R"("--implicit-optional": "none", "--no-implicit-optional": "none", "--no-strict-optional": "none", "--strict-optional": "none", )" \
  R"("--warn-redundant-casts": "none", "--warn-unused-ignores": "none", "--no-warn-unused-ignores": "none", "--no-warn-no-return": "none", )" \
  R"("--warn-return-any": "none", "--no-warn-return-any": "none", "--warn-unreachable": "none", "--allow-untyped-globals": "none", )" \
  R"("--allow-redefinition": "none", "--no-implicit-reexport": "none", "--strict-equality": "none", "--strict-bytes": "none", )" \
  R"("--extra-checks": "none", "--strict-concatenate": "none", "--warn-unused-configs": "none", "--warn-incomplete-stub": "none", )" \
  R"("--ignore-missing-imports": "none", "--no-namespace-packages": "none", "--namespace-packages": "none", )" \
  R"("--explicit-package-bases": "none", "--scripts-are-modules": "none", "--no-site-packages": "none", "--no-silence-site-packages": "none", )" \
  R"("--local-partial-types": "none", "--disable-recursive-aliases": "none")"
#define WARDENV_MYPY_OUTPUT \
  R"("--show-error-context": "none", "--show-column-numbers": "none", "--show-error-end": "none", "--show-error-codes": "none", )" \
  R"("--hide-error-codes": "none", "--hide-error-context": "none", "--pretty": "none", "--no-pretty": "none", "--no-color-output": "none", )" \
  R"("--no-error-summary": "none", "--show-absolute-path": "none", "--show-traceback": "none", "--tb": "none", )" \
  R"("--output": {"enum": ["json"]}, "-v": "none", "--verbose": "none", "--no-incremental": "none", "--sqlite-cache": "none", )" \
  R"("--no-sqlite-cache": "none", "--cache-fine-grained": "none", "--skip-version-check": "none", "--skip-cache-mtime-checks": "none", )" \
  R"("--any-exprs-report": {"path_under": "{workspace}"}, "--cobertura-xml-report": {"path_under": "{workspace}"}, )" \
  R"("--html-report": {"path_under": "{workspace}"}, "--linecount-report": {"path_under": "{workspace}"}, )" \
  R"("--linecoverage-report": {"path_under": "{workspace}"}, "--lineprecision-report": {"path_under": "{workspace}"}, )" \
  R"("--txt-report": {"path_under": "{workspace}"}, "--xml-report": {"path_under": "{workspace}"}, "--junit-xml": {"path_under": "{workspace}"})"
const std::string_view kMypy = R"({
  "standalone": ["--version", "-V", "--help", "-h"],
  "flags": {)" WARDENV_MYPY_SWITCHES ", " WARDENV_MYPY_OUTPUT R"(,
    "--follow-imports": {"enum": ["normal", "silent", "skip", "error"]}, "--python-version": {"regex": "3\\.[0-9]{1,2}"},
    "--platform": {"regex": "[a-z0-9]+"}, "--always-true": )" WARDENV_MYPY_NAME R"(, "--always-false": )" WARDENV_MYPY_NAME R"(,
    "--disable-error-code": {"regex": "[a-z-]+"}, "--enable-error-code": {"regex": "[a-z-]+"}, "--enable-incomplete-feature": {"regex": "[A-Za-z]+"},
    "--untyped-calls-exclude": )" WARDENV_MYPY_NAME R"(, "--exclude": "string",
    "--cache-dir": {"any_of": [{"enum": ["/dev/null"]}, {"path_under": "{workspace}"}]},
    "-m": )" WARDENV_MYPY_NAME R"(, "--module": )" WARDENV_MYPY_NAME R"(, "-p": )" WARDENV_MYPY_NAME R"(, "--package": )" WARDENV_MYPY_NAME R"(
  },
  "positionals": {"path_under": "{workspace}"}
})";

// Not: --config (also inline settings), --cache-dir, --stdin-filename, --watch (never ends), --add-noqa, @file, `clean`, `server`, `analyze`.
#define WARDENV_RUFF_CODES R"({"regex": "[A-Z0-9]+(,[A-Z0-9]+)*"})"
#define WARDENV_RUFF_COMMON \
  R"("-q": "none", "--quiet": "none", "-v": "none", "--verbose": "none", "-s": "none", "--silent": "none", "--isolated": "none", )" \
  R"("--preview": "none", "--no-preview": "none", "-n": "none", "--no-cache": "none", "--respect-gitignore": "none", )" \
  R"("--no-respect-gitignore": "none", "--force-exclude": "none", "--no-force-exclude": "none", "--exclude": "string", )" \
  R"("--extend-exclude": "string", "--target-version": {"regex": "py3[0-9]{1,2}"}, "--line-length": {"integer": [1, 320]}, )" \
  R"("--diff": "none", "--color": {"enum": ["auto", "always", "never"]}, "--exit-non-zero-on-fix": "none")"
const std::string_view kRuff = R"({
  "standalone": ["--version", "-V", "--help", "-h"],
  "subcommands": {
    "check": {"flags": {)" WARDENV_RUFF_COMMON R"(,
        "--fix": "none", "--no-fix": "none", "--unsafe-fixes": "none", "--no-unsafe-fixes": "none", "--show-fixes": "none", "--no-show-fixes": "none",
        "--fix-only": "none", "--no-fix-only": "none", "--ignore-noqa": "none", "--statistics": "none", "--show-files": "none", "--show-settings": "none",
        "-e": "none", "--exit-zero": "none", "--select": )" WARDENV_RUFF_CODES R"(, "--ignore": )" WARDENV_RUFF_CODES R"(,
        "--extend-select": )" WARDENV_RUFF_CODES R"(, "--fixable": )" WARDENV_RUFF_CODES R"(, "--unfixable": )" WARDENV_RUFF_CODES R"(,
        "--extend-fixable": )" WARDENV_RUFF_CODES R"(, "--per-file-ignores": "string", "--extend-per-file-ignores": "string",
        "--output-format": {"enum": ["concise", "full", "text", "grouped", "json", "json-lines", "junit", "github", "gitlab", "pylint", "rdjson", "azure", "sarif"]},
        "-o": {"all_of": [{"path_under": "{workspace}"}, {"regex": ".+\\.(txt|json|xml|sarif|log)$"}]},
        "--output-file": {"all_of": [{"path_under": "{workspace}"}, {"regex": ".+\\.(txt|json|xml|sarif|log)$"}]}},
      "positionals": {"path_under": "{workspace}"}},
    "format": {"flags": {)" WARDENV_RUFF_COMMON R"(, "--check": "none", "--range": {"regex": "[0-9:-]{1,40}"}}, "positionals": {"path_under": "{workspace}"}},
    "rule": {"flags": {"--all": "none", "--output-format": {"enum": ["text", "json"]}}, "positionals": {"regex": "[A-Z]+[0-9]+", "max": 1}},
    "linter": {"flags": {"--output-format": {"enum": ["text", "json"]}}},
    "config": {"flags": {"--output-format": {"enum": ["text", "json"]}}, "positionals": {"regex": "[a-z.-]+", "max": 1}},
    "version": {}
  }
})";

}  // namespace wardenv::policy::preset_texts

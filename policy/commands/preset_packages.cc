// SPDX-License-Identifier: Apache-2.0
// Presets: pip and uv. Sources: `pip COMMAND --help` of 23 to 25, the command reference of uv 0.4 to 0.8.
#include "policy/commands/preset_texts.h"

namespace wardenv::policy::preset_texts {

// A name, perhaps with extras and versions (packaging.python.org, "Dependency specifiers"), and never the name of an archive: pip takes such a
// file of the working folder for the package (pip._internal.req.constructors), with or without extras.
#define WARDENV_REQUIREMENT \
  R"({"all_of": [{"regex": "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\\[[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*\\])?((===?|!=|~=|<=?|>=?)[A-Za-z0-9.*+!_-]+(,(===?|!=|~=|<=?|>=?)[A-Za-z0-9.*+!_-]+)*)?"}, )" \
  R"({"not": {"regex": "(?i).*\\.(zip|whl|tar|tgz|tar\\.gz|tbz|tbz2|tar\\.bz2|txz|tlz|tar\\.xz|tar\\.lz|tar\\.lzma|egg)(\\[.*)?"}}], )" \
  R"("max_length": 200)"
#define WARDENV_NAME R"({"regex": "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", "max_length": 200)"

#define WARDENV_PIP_GLOBAL \
  R"("-v": "none", "--verbose": "none", "-q": "none", "--quiet": "none", "--isolated": "none", "--require-virtualenv": "none", )" \
  R"("--no-input": "none", "--no-color": "none", "--disable-pip-version-check": "none", "--no-python-version-warning": "none", )" \
  R"("--no-cache-dir": "none", "--retries": {"integer": [0, 20]}, "--timeout": {"integer": [1, 600]})"

// Not: --log, --cache-dir, --python, --proxy, --cert, --index-url and their like; `config` and `debug` (show credentials), `cache`, `download`.
const std::string_view kPipReadonly = R"({
  "standalone": ["--version", "-V", "--help", "-h"],
  "global_flags": {)" WARDENV_PIP_GLOBAL R"(},
  "subcommands": {
    "list": {"flags": {"-o": "none", "--outdated": "none", "-u": "none", "--uptodate": "none", "-e": "none", "--editable": "none", "-l": "none",
                       "--local": "none", "--pre": "none", "--format": {"enum": ["columns", "freeze", "json"]}, "--not-required": "none",
                       "--exclude-editable": "none", "--include-editable": "none", "--exclude": )" WARDENV_NAME R"(}}},
    "show": {"flags": {"-f": "none", "--files": "none"}, "positionals": )" WARDENV_NAME R"(, "min": 1, "max": 100}},
    "check": {},
    "freeze": {"flags": {"-l": "none", "--local": "none", "--all": "none", "--exclude-editable": "none", "--exclude": )" WARDENV_NAME R"(}}},
    "inspect": {"flags": {"--local": "none"}},
    "help": {"positionals": {"regex": "[a-z]+", "max": 1}}
  }
})";

// Not: -r, -c (a file that may name any index, URL or option), -e, -t, --prefix, --root, --src, --user, --index-url, --extra-index-url,
// --find-links, --trusted-host, --config-settings, --global-option, --no-binary, --no-build-isolation, --report, --break-system-packages.
const std::string_view kPipInstall = R"({
  "preset": "pip-readonly",
  "subcommands": {
    "install": {
      "flags": {
        "-U": "none", "--upgrade": "none", "--upgrade-strategy": {"enum": ["eager", "only-if-needed"]}, "--no-deps": "none", "--pre": "none",
        "--dry-run": "none", "--force-reinstall": "none", "-I": "none", "--ignore-installed": "none", "--require-hashes": "none", "--prefer-binary": "none",
        "--only-binary": {"any_of": [{"enum": [":all:"]}, {"list": )" WARDENV_NAME R"(}}]}, "--compile": "none", "--no-compile": "none",
        "--no-warn-script-location": "none", "--no-warn-conflicts": "none", "--progress-bar": {"enum": ["on", "off", "raw"]},
        "--root-user-action": {"enum": ["warn", "ignore"]}, "--no-clean": "deny"
      },
      "positionals": )" WARDENV_REQUIREMENT R"(, "min": 1, "max": 50}
    }
  }
})";

// Not: --directory, --project, --config-file, --cache-dir, --python, every option that names an index or a host, --with and its like,
// `run` of anything that has no preset here, `tool`, `python`, `self`, `publish`, `pip install`.
#define WARDENV_UV_GROUPS \
  R"("--extra": )" WARDENV_NAME R"(}, "--all-extras": "none", "--no-extra": )" WARDENV_NAME R"(}, "--group": )" WARDENV_NAME \
  R"(}, "--no-group": )" WARDENV_NAME R"(}, "--only-group": )" WARDENV_NAME R"(}, "--all-groups": "none", "--no-default-groups": "none", )" \
  R"("--dev": "none", "--no-dev": "none", "--only-dev": "none", "--locked": "none", "--frozen": "none", "--package": )" WARDENV_NAME "}"
const std::string_view kUv = R"({
  "standalone": ["--version", "-V", "--help", "-h"],
  "global_flags": {"-q": "none", "--quiet": "none", "-v": "none", "--verbose": "none", "--offline": "none", "-n": "none", "--no-cache": "none",
                   "--no-progress": "none", "--no-python-downloads": "none", "--color": {"enum": ["auto", "always", "never"]}},
  "subcommands": {
    "sync": {"flags": {)" WARDENV_UV_GROUPS R"(, "--inexact": "none", "--exact": "none", "--check": "none", "--dry-run": "none", "--reinstall": "none",
                       "--no-install-project": "none", "--no-install-workspace": "none", "--all-packages": "none"}},
    "lock": {"flags": {"--check": "none", "--locked": "none", "--frozen": "none", "--dry-run": "none", "-U": "none", "--upgrade": "none",
                       "-P": )" WARDENV_NAME R"(}, "--upgrade-package": )" WARDENV_NAME R"(}}},
    "add": {"flags": {"--dev": "none", "--group": )" WARDENV_NAME R"(}, "--optional": )" WARDENV_NAME R"(}, "--extra": )" WARDENV_NAME R"(},
                      "--locked": "none", "--frozen": "none", "--no-sync": "none", "--bounds": {"enum": ["lower", "major", "minor", "exact"]}},
            "positionals": )" WARDENV_REQUIREMENT R"(, "min": 1, "max": 50}},
    "remove": {"flags": {"--dev": "none", "--group": )" WARDENV_NAME R"(}, "--optional": )" WARDENV_NAME R"(}, "--locked": "none", "--frozen": "none",
                         "--no-sync": "none"},
               "positionals": )" WARDENV_NAME R"(, "min": 1, "max": 50}},
    "tree": {"flags": {)" WARDENV_UV_GROUPS R"(, "-d": {"integer": [0, 255]}, "--depth": {"integer": [0, 255]}, "--invert": "none", "--no-dedupe": "none",
                       "--outdated": "none", "--universal": "none", "--prune": )" WARDENV_NAME R"(}}},
    "export": {"flags": {)" WARDENV_UV_GROUPS R"(, "--format": {"enum": ["requirements-txt", "requirements.txt", "pylock.toml"]}, "--no-hashes": "none",
                         "--no-header": "none", "--no-annotate": "none", "--no-emit-project": "none", "-o": {"all_of": [{"path_under": "{workspace}"}, {"regex": "(.*/)?(pylock\\.toml|pylock\\.[A-Za-z0-9_-]+\\.toml|.+\\.txt)$"}]},
                         "--output-file": {"all_of": [{"path_under": "{workspace}"}, {"regex": "(.*/)?(pylock\\.toml|pylock\\.[A-Za-z0-9_-]+\\.toml|.+\\.txt)$"}]}}},
    "version": {"flags": {"--short": "none", "--output-format": {"enum": ["text", "json"]}}},
    "pip": {"subcommands": {
      "list": {"flags": {"--outdated": "none", "-e": "none", "--editable": "none", "--exclude-editable": "none", "--format": {"enum": ["columns", "freeze", "json"]}}},
      "show": {"flags": {"-f": "none", "--files": "none"}, "positionals": )" WARDENV_NAME R"(, "min": 1, "max": 100}},
      "freeze": {"flags": {"--exclude-editable": "none"}}, "check": {}, "tree": {"flags": {"-d": {"integer": [0, 255]}, "--depth": {"integer": [0, 255]}}}}},
    "run": {"flags": {)" WARDENV_UV_GROUPS R"(, "--no-sync": "none", "--exact": "none", "--isolated": "none"},
            "subcommands": {"pytest": {"preset": "pytest"}, "ruff": {"preset": "ruff"}, "mypy": {"preset": "mypy"}, "black": {"preset": "black"},
                            "coverage": {"preset": "coverage"}, "python": {"preset": "python"}}}
  }
})";

}  // namespace wardenv::policy::preset_texts

// SPDX-License-Identifier: Apache-2.0
// Presets: git. Sources: git(1), git-log(1), git-diff(1) and the others of 2.39 to 2.47; gitrevisions(7).
#include "policy/commands/preset_texts.h"

namespace wardenv::policy::preset_texts {

// A revision, a range, or a file of one: no part of a path begins with a dot, so that nothing climbs; never absolute: `git diff` reads
// files from anywhere once one lies outside the repository.
#define WARDENV_REF R"([A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*([~^][0-9]*|\\^\\{[a-z/]*\\}|@\\{[A-Za-z0-9 .:_-]+\\})*)"
#define WARDENV_SOME_REF R"((@|@\\{[A-Za-z0-9 .:_-]+\\}|)" WARDENV_REF R"()([~^][0-9]*)*)"
#define WARDENV_REVISION                                                                     \
  R"({"regex": "\\^?)" WARDENV_SOME_REF R"((\\.\\.\\.?()" WARDENV_SOME_REF R"()?)?(:[^:/~-][^\\n]*)?|\\.\\.\\.?)" WARDENV_SOME_REF R"(", "allow": ["at"], "max_length": 400})"
#define WARDENV_PATHSPEC R"({"any_of": [{"path_under": "{workspace}"}, {"regex": ":[!^][A-Za-z0-9_*][A-Za-z0-9_.*/-]*"}]})"
#define WARDENV_REVISION_OR_PATH R"({"any_of": [)" WARDENV_REVISION R"(, {"path_under": "{workspace}"}]})"
#define WARDENV_DATE R"({"regex": "[A-Za-z0-9][A-Za-z0-9 :.,/+-]*", "max_length": 60})"

// Not: --output, --ext-diff, --textconv, --no-index, -O, --show-signature and %G (start gpg), --stdin.
#define WARDENV_GIT_DIFF                                                                                                                 \
  R"("-p": "none", "-u": "none", "--patch": "none", "-s": "none", "--no-patch": "none", "-U": {"integer": [0, 100000]}, )"               \
  R"("--unified": {"integer": [0, 100000]}, "--raw": "none", "--minimal": "none", "--patience": "none", "--histogram": "none", )"        \
  R"("--diff-algorithm": {"enum": ["default", "myers", "minimal", "patience", "histogram"]}, "--stat": {"optional": {"regex": "[0-9,]+"}}, )" \
  R"("--numstat": "none", "--shortstat": "none", "--summary": "none", "--dirstat": {"optional": {"regex": "[a-z0-9,.]+"}}, )"            \
  R"("--patch-with-stat": "none", "--compact-summary": "none", "-z": "none", "--name-only": "none", "--name-status": "none", )"          \
  R"("--color": {"optional": {"enum": ["always", "never", "auto"]}}, "--no-color": "none", "--word-diff": {"optional": {"enum": ["color", "plain", "porcelain", "none"]}}, )" \
  R"("--color-words": "none", "--no-renames": "none", "--check": "none", "--full-index": "none", "--binary": "none", )"                  \
  R"("--abbrev": {"optional": {"integer": [4, 64]}}, "-M": {"optional": {"regex": "[0-9]{1,3}%?"}}, "--find-renames": {"optional": {"regex": "[0-9]{1,3}%?"}}, )" \
  R"("-C": {"optional": {"regex": "[0-9]{1,3}%?"}}, "--find-copies": {"optional": {"regex": "[0-9]{1,3}%?"}}, "--diff-filter": {"regex": "[A-Za-z*]+"}, )" \
  R"("-S": {"string": true, "max_length": 1000}, "-G": {"string": true, "max_length": 1000}, "--pickaxe-regex": "none", "--pickaxe-all": "none", )" \
  R"("-R": "none", "--relative": "none", "-a": "none", "--text": "none", "-b": "none", "-w": "none", "--ignore-all-space": "none", )"    \
  R"("--ignore-space-change": "none", "--ignore-space-at-eol": "none", "--ignore-blank-lines": "none", "--ignore-cr-at-eol": "none", )"  \
  R"("-W": "none", "--function-context": "none", "--no-ext-diff": "none", "--no-textconv": "none", "--no-prefix": "none", "--exit-code": "none", )" \
  R"("--quiet": "none", "-q": "none")"
#define WARDENV_GIT_FORMAT R"({"all_of": [{"string": true, "max_length": 1000}, {"not": {"regex": ".*%[-+ ]?G.*"}}]})"
// The same of `git branch` and `git tag`, whose fields have names.
#define WARDENV_GIT_REF_FORMAT R"({"all_of": [{"string": true, "max_length": 1000}, {"not": {"regex": ".*signature.*"}}]})"
#define WARDENV_GIT_REF_SORT R"({"all_of": [{"regex": "-?[a-z:]+", "allow": ["dash"]}, {"not": {"regex": ".*signature.*"}, "allow": ["dash"]}]})"
#define WARDENV_GIT_COMMITS                                                                                                              \
  R"("--oneline": "none", "--pretty": {"optional": )" WARDENV_GIT_FORMAT R"(}, "--format": )" WARDENV_GIT_FORMAT R"(, )"                  \
  R"("--abbrev-commit": "none", "--no-abbrev-commit": "none", "--date": {"regex": "[a-z0-9-]+(:[A-Za-z0-9%: ./-]*)?"}, "--decorate": {"optional": {"enum": ["short", "full", "auto", "no"]}}, )" \
  R"("--no-decorate": "none", "--notes": "none", "--no-notes": "none", "--graph": "none", "--source": "none")"
#define WARDENV_GIT_SELECTION                                                                                                            \
  R"("-n": {"integer": [0, 1000000]}, "--max-count": {"integer": [0, 1000000]}, "--skip": {"integer": [0, 1000000]}, )"                   \
  R"("--since": )" WARDENV_DATE R"(, "--after": )" WARDENV_DATE R"(, "--until": )" WARDENV_DATE R"(, "--before": )" WARDENV_DATE         \
  R"(, "--author": "string", "--committer": "string", "--grep": "string", "--all-match": "none", "--invert-grep": "none", "-i": "none", )" \
  R"("--regexp-ignore-case": "none", "-E": "none", "--extended-regexp": "none", "-F": "none", "--fixed-strings": "none", "-P": "none", )" \
  R"("--perl-regexp": "none", "--all": "none", "--branches": "none", "--tags": "none", "--remotes": "none", "--merges": "none", )"        \
  R"("--no-merges": "none", "--first-parent": "none", "--reverse": "none", "--follow": "none", "--topo-order": "none", "--date-order": "none", )" \
  R"("--ancestry-path": "none", "--cherry": "none", "--cherry-mark": "none", "--cherry-pick": "none", "--left-right": "none", "--left-only": "none", )" \
  R"("--right-only": "none", "--boundary": "none", "--simplify-by-decoration": "none", "--full-history": "none", "--no-walk": "none", "-g": "none")"

const std::string_view kGitReadonly = R"({
  "standalone": ["--version", "-v", "--help", "-h"],
  "flags": {"--no-pager": "none", "-P": "none", "--no-optional-locks": "none", "--literal-pathspecs": "none", "--no-replace-objects": "none"},
  "subcommands": {
    "status": {"flags": {"-s": "none", "--short": "none", "-b": "none", "--branch": "none", "-v": "none", "--verbose": "none", "--long": "none", "-z": "none",
                         "--show-stash": "none", "--ahead-behind": "none", "--no-ahead-behind": "none", "--porcelain": {"optional": {"enum": ["v1", "v2"]}},
                         "-u": {"optional": {"enum": ["no", "normal", "all"]}}, "--untracked-files": {"optional": {"enum": ["no", "normal", "all"]}},
                         "--ignored": {"optional": {"enum": ["traditional", "no", "matching"]}}, "--no-renames": "none"},
               "positionals": )" WARDENV_PATHSPEC R"(},
    "log": {"flags": {)" WARDENV_GIT_COMMITS ", " WARDENV_GIT_SELECTION ", " WARDENV_GIT_DIFF R"(,
                      "-L": {"regex": "[0-9]{1,7},\\+?[0-9]{1,7}:[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*"}},
            "number_flag": {"integer": [0, 1000000]}, "positionals": )" WARDENV_REVISION_OR_PATH R"(, "after_separator": )" WARDENV_PATHSPEC R"(},
    "diff": {"flags": {"--cached": "none", "--staged": "none", "--merge-base": "none", )" WARDENV_GIT_DIFF R"(},
             "positionals": )" WARDENV_REVISION_OR_PATH R"(, "after_separator": )" WARDENV_PATHSPEC R"(},
    "show": {"flags": {)" WARDENV_GIT_COMMITS ", " WARDENV_GIT_DIFF R"(, "-m": "none", "--first-parent": "none"},
             "positionals": )" WARDENV_REVISION_OR_PATH R"(, "after_separator": )" WARDENV_PATHSPEC R"(},
    "shortlog": {"flags": {"-n": "none", "--numbered": "none", "-s": "none", "--summary": "none", "-e": "none", "--email": "none", "--all": "none",
                           "--no-merges": "none", "--since": )" WARDENV_DATE R"(, "--until": )" WARDENV_DATE R"(},
                 "positionals": )" WARDENV_REVISION R"(, "after_separator": )" WARDENV_PATHSPEC R"(},
    "blame": {"flags": {"-L": {"regex": "[0-9]{1,7},\\+?[0-9]{1,7}"}, "-w": "none", "-M": "none", "-C": "none", "-s": "none", "-e": "none", "-l": "none",
                        "-f": "none", "-n": "none", "-p": "none", "--porcelain": "none", "--line-porcelain": "none", "--show-email": "none", "--since": )" WARDENV_DATE R"(},
              "positionals": )" WARDENV_REVISION_OR_PATH R"(, "after_separator": )" WARDENV_PATHSPEC R"(},
    "branch": {"flags": {"-a": "none", "--all": "none", "-r": "none", "--remotes": "none", "-v": "none", "--verbose": "none", "-l": {"none": true, "max": 1},
                         "--list": "none", "--show-current": "none", "--no-color": "none", "--format": )" WARDENV_GIT_REF_FORMAT R"(,
                         "--sort": )" WARDENV_GIT_REF_SORT R"(, "--contains": )" WARDENV_REVISION R"(, "--no-contains": )" WARDENV_REVISION R"(,
                         "--points-at": )" WARDENV_REVISION R"(}},
    "tag": {"flags": {"-l": "none", "--list": "none", "--no-color": "none", "--format": )" WARDENV_GIT_REF_FORMAT R"(, "--sort": )" WARDENV_GIT_REF_SORT R"(,
                      "--points-at": )" WARDENV_REVISION R"(, "--contains": )" WARDENV_REVISION R"(}},
    "rev-parse": {"flags": {"--abbrev-ref": {"optional": {"enum": ["strict", "loose"]}}, "--short": {"optional": {"integer": [4, 64]}}, "--verify": "none",
                            "-q": "none", "--quiet": "none", "--show-toplevel": "none", "--git-dir": "none", "--is-inside-work-tree": "none",
                            "--show-prefix": "none", "--symbolic-full-name": "none", "--symbolic": "none", "--is-bare-repository": "none"},
                  "positionals": )" WARDENV_REVISION R"(},
    "rev-list": {"flags": {"--count": "none", "--objects": "none", "--abbrev-commit": "none", "--oneline": "none", )" WARDENV_GIT_SELECTION R"(},
                 "number_flag": {"integer": [0, 1000000]}, "positionals": )" WARDENV_REVISION R"(, "after_separator": )" WARDENV_PATHSPEC R"(},
    "merge-base": {"flags": {"-a": "none", "--all": "none", "--is-ancestor": "none", "--fork-point": "none"}, "positionals": )" WARDENV_REVISION R"(},
    "describe": {"flags": {"--tags": "none", "--all": "none", "--long": "none", "--always": "none", "--dirty": "none", "--abbrev": {"optional": {"integer": [0, 64]}},
                           "--exact-match": "none", "--contains": "none"}, "positionals": )" WARDENV_REVISION R"(},
    "ls-files": {"flags": {"-c": "none", "--cached": "none", "-d": "none", "--deleted": "none", "-m": "none", "--modified": "none", "-o": "none",
                           "--others": "none", "-i": "none", "--ignored": "none", "-s": "none", "--stage": "none", "-u": "none", "--unmerged": "none",
                           "-z": "none", "-t": "none", "--exclude-standard": "none", "--full-name": "none", "--error-unmatch": "none"},
                 "positionals": )" WARDENV_PATHSPEC R"(},
    "ls-tree": {"flags": {"-r": "none", "-d": "none", "-t": "none", "-l": "none", "--long": "none", "-z": "none", "--name-only": "none", "--full-tree": "none"},
                "positionals": )" WARDENV_REVISION_OR_PATH R"(},
    "cat-file": {"flags": {"-t": "none", "-s": "none", "-e": "none", "-p": "none"}, "positionals": )" WARDENV_REVISION R"(},
    "grep": {"flags": {"-e": "string", "-n": "none", "--line-number": "none", "-i": "none", "--ignore-case": "none", "-w": "none", "--word-regexp": "none",
                       "-v": "none", "--invert-match": "none", "-l": "none", "--files-with-matches": "none", "--name-only": "none", "-L": "none",
                       "-c": "none", "--count": "none", "-h": "none", "-H": "none", "-o": "none", "--only-matching": "none", "-q": "none", "-I": "none",
                       "-a": "none", "-E": "none", "--extended-regexp": "none", "-F": "none", "--fixed-strings": "none", "-P": "none", "--perl-regexp": "none",
                       "-G": "none", "--cached": "none", "--untracked": "none", "--and": "none", "--or": "none", "--not": "none", "--heading": "none",
                       "--break": "none", "-p": "none", "--show-function": "none", "-W": "none", "--no-color": "none",
                       "-A": {"integer": [0, 1000]}, "-B": {"integer": [0, 1000]}, "-C": {"integer": [0, 1000]}, "--max-depth": {"integer": [0, 1000]},
                       "--all-match": "none", "--column": "none"},
             "number_flag": {"integer": [0, 1000]}, "positionals": {"string": true, "max": 20}, "after_separator": )" WARDENV_PATHSPEC R"(},
    "stash": {"subcommands": {"list": {"flags": {"--oneline": "none"}}, "show": {"flags": {)" WARDENV_GIT_DIFF R"(}, "positionals": {"regex": "stash@\\{[0-9]+\\}|[0-9]+", "max": 1}}}},
    "remote": {"flags": {"-v": "none", "--verbose": "none"}},
    "reflog": {"flags": {"-n": {"integer": [0, 1000000]}, "--date": {"regex": "[a-z-]+"}}, "number_flag": {"integer": [0, 1000000]}},
    "count-objects": {"flags": {"-v": "none", "-H": "none"}}
  }
})";

// Without -m git starts the editor that the repository or the environment names, in the sandbox, without a terminal. Not: -e, -p, -i,
// --fixup=amend: and reword: (an editor or a dialogue), --no-verify, -S and its like (start gpg), -F, -t, -C, -c, --author, --pathspec-from-file.
const std::string_view kGitCommit = R"({
  "preset": "git-readonly",
  "subcommands": {
    "add": {"flags": {"-A": "none", "--all": "none", "-u": "none", "--update": "none", "-n": "none", "--dry-run": "none", "-v": "none", "--verbose": "none",
                      "-N": "none", "--intent-to-add": "none", "--ignore-errors": "none", "--refresh": "none", "--renormalize": "none",
                      "--chmod": {"enum": ["+x", "-x"], "allow": ["dash"]}},
            "positionals": )" WARDENV_PATHSPEC R"(},
    "commit": {"flags": {"-m": {"string": true, "allow": ["newline"], "max_length": 20000}, "--message": {"string": true, "allow": ["newline"], "max_length": 20000},
                         "-a": "none", "--all": "none", "--amend": "none", "--no-edit": "none", "--allow-empty": "none", "-q": "none", "--quiet": "none",
                         "-s": "none", "--signoff": "none", "--dry-run": "none", "--short": "none", "--no-gpg-sign": "none", "--no-status": "none",
                         "-o": "none", "--only": "none", "-i": "none", "--include": "none", "--fixup": {"regex": ")" WARDENV_REF R"("}},
               "positionals": )" WARDENV_PATHSPEC R"(},
    "restore": {"flags": {"-S": "none", "--staged": {"none": true, "min": 1}, "-q": "none", "--quiet": "none"}, "positionals": {"path_under": "{workspace}", "min": 1}},
    "rm": {"flags": {"-r": "none", "--cached": "none", "-n": "none", "--dry-run": "none", "-q": "none", "--quiet": "none"},
           "positionals": {"path_under": "{workspace}", "min": 1}},
    "mv": {"flags": {"-n": "none", "--dry-run": "none", "-k": "none", "-v": "none", "--verbose": "none"}, "positionals": {"path_under": "{workspace}", "min": 2}},
    "switch": {"flags": {"-c": {"regex": ")" WARDENV_REF R"("}, "--create": {"regex": ")" WARDENV_REF R"("}, "-q": "none", "--quiet": "none",
                         "--no-track": "none", "--no-guess": "none"},
               "positionals": {"regex": ")" WARDENV_REF R"(", "max": 2}}
  }
})";

}  // namespace wardenv::policy::preset_texts

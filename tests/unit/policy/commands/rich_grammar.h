// SPDX-License-Identifier: Apache-2.0
// A grammar with one of everything, for property tests and the fuzzer.
#pragma once

namespace wardenv::testing {

inline constexpr const char* kRichGrammar = R"({
  "plain": {
    "standalone": ["--version"],
    "flags": {"-x": "none", "-q": {"none": true, "max": 2}, "--quiet": "none", "-k": "string", "-n": "integer", "--level": {"integer": [1, 5]},
              "--name": {"regex": "[a-z]+"}, "--out": {"path_under": "{workspace}"}, "--color": {"optional": {"enum": ["never", "always"]}},
              "-r": {"optional": {"regex": "[a-z]*"}}, "-z": "deny", "--text": {"string": true, "allow": ["newline", "control", "empty", "dash", "stdin", "at"]},
              "--list": {"list": {"regex": "[a-z]+"}}, "--need": {"string": true, "max": 1, "max_length": 4}},
    "number_flag": {"integer": [0, 9]},
    "positionals": {"path_under": ["{workspace}", "/usr/share"], "max": 3}
  },
  "strict": {
    "flags": {"-n": {"integer": [-5, 5], "min": 1, "max": 2}, "-x": "none"},
    "positionals": [{"enum": ["run", "list"]}, {"regex": "[a-z.]+"}, {"path_under": "{workspace}", "until": "::", "allow": ["colon"], "min": 0, "max": 2}],
    "after_separator": {"any_of": [{"integer": [0, 9]}, {"all_of": [{"regex": "[-a-z.=]+"}, {"not": {"glob": "*.zip"}}], "max_length": 8}]}
  },
  "module": {
    "flags": {"-m": {"enum": ["list", "rest", "deep"]}, "-c": "none", "-x": "none", "-k": "string"},
    "after": {"-m": {"rest": "rest", "list": {"flags": {"-x": "none", "--level": "integer"}, "positionals": "string"}, "deep": {"subcommands": {"run": {}}}}, "-c": "rest"}
  },
  "must": {"flags": {"-m": "string", "-n": {"integer": true, "min": 1}}, "after": {"-m": "rest"}},
  "find": {
    "flags": {"-name": "string", "-type": {"enum": ["a", "file.zip"]}, "-n": "integer"},
    "positionals": {"path_under": "{workspace}"}
  },
  "sub": {
    "flags": {"-x": "none", "--level": "integer"},
    "subcommands": {"run": {"flags": {"-k": "string"}, "interspersed": false, "positionals": {"string": true, "allow": ["dash", "stdin"]}},
                    "list": {"flags": {"-q": "none"}, "end_of_flags": false, "positionals": {"glob": "*.py", "max": 2}},
                    "deep": {"subcommands": {"two": {"clusters": false, "flags": {"-x": "none", "-q": "none"}}}}}
  }
})";

}  // namespace wardenv::testing

// SPDX-License-Identifier: Apache-2.0
// The grammar of `commands` in the published JSON Schema: what policy/commands/ reads.
#include "policy/core/schema.h"

namespace wardenv::policy::core {
namespace {

constexpr std::string_view kCommands = R"schema(  "commands": {
   "type": "object",
   "minProperties": 1,
   "propertyNames": {"pattern": "^[^-/\\u0000-\\u0020\\u007f][^/\\u0000-\\u0020\\u007f]*$", "not": {"enum": [".", ".."]}},
   "additionalProperties": {"$ref": "#/$defs/grammar"},
   "description": "command \u2192 grammar of its arguments; see policy/commands/README.md"
  },
  "grammar": {
   "type": "object",
   "properties": {
    "preset": {
     "enum": ["black", "build", "coverage", "git-commit", "git-readonly", "mypy", "pip-install", "pip-readonly", "pytest", "python", "python-script", "ruff", "unittest", "uv"],
     "description": "a grammar that ships with wardenv, over which the other members are laid"
    },
    "flags": {"$ref": "#/$defs/flags"},
    "global_flags": {"$ref": "#/$defs/flags", "description": "flags of this level and of every subcommand below it"},
    "number_flag": {
     "allOf": [{"$ref": "#/$defs/part"}],
     "type": "object",
     "required": ["integer"],
     "properties": {"integer": {"type": "array", "prefixItems": [{"minimum": 0}]}},
     "description": "-5 is a flag with that number"
    },
    "standalone": {"type": "array", "items": {"$ref": "#/$defs/flag_name"}, "description": "allowed when it is the only argument"},
    "positionals": {"$ref": "#/$defs/positionals"},
    "after_separator": {"$ref": "#/$defs/positionals", "description": "the positionals after --, where they are others"},
    "subcommands": {
     "type": "object",
     "propertyNames": {"pattern": "^[^-\\u0000-\\u0020\\u007f][^\\u0000-\\u0020\\u007f]*$"},
     "additionalProperties": {"$ref": "#/$defs/grammar"}
    },
    "after": {
     "type": "object",
     "propertyNames": {"$ref": "#/$defs/flag_name"},
     "additionalProperties": {
      "anyOf": [
       {"const": "rest"},
       {"type": "object", "additionalProperties": {"anyOf": [{"const": "rest"}, {"$ref": "#/$defs/grammar"}]}}
      ]
     },
     "description": "flag \u2192 what follows it: another program's arguments (rest), or by its value a grammar"
    },
    "end_of_flags": {"type": "boolean"},
    "interspersed": {"type": "boolean"},
    "clusters": {"type": "boolean"}
   },
   "additionalProperties": false
  },
  "flag_name": {"type": "string", "pattern": "^-[^=\\u0000-\\u0020\\u007f]+$", "not": {"const": "--"}},
  "flags": {"type": "object", "propertyNames": {"$ref": "#/$defs/flag_name"}, "additionalProperties": {"$ref": "#/$defs/flag_value"}},
  "flag_value": {
   "anyOf": [
    {"enum": ["none", "deny", "string", "integer"]},
    {"$ref": "#/$defs/counted_value"},
    {
     "type": "object",
     "properties": {"none": {"const": true}, "min": {"$ref": "#/$defs/least"}, "max": {"$ref": "#/$defs/most"}},
     "additionalProperties": false,
     "required": ["none"]
    },
    {
     "type": "object",
     "properties": {"optional": {"$ref": "#/$defs/part"}, "min": {"$ref": "#/$defs/least"}, "max": {"$ref": "#/$defs/most"}},
     "additionalProperties": false,
     "required": ["optional"]
    }
   ]
  },
  "positional": {"anyOf": [{"enum": ["string", "integer"]}, {"$ref": "#/$defs/counted_value"}]},
  "positionals": {"anyOf": [{"$ref": "#/$defs/positional"}, {"type": "array", "items": {"$ref": "#/$defs/positional"}}]},
  "part": {
   "anyOf": [{"enum": ["string", "integer"]}, {"allOf": [{"$ref": "#/$defs/counted_value"}], "properties": {"min": false, "max": false}}],
   "description": "a value within another: how often is said outside"
  },
  "parts": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/part"}},
  "least": {"type": "integer", "minimum": 0, "maximum": 65535},
  "most": {"type": "integer", "minimum": 1, "maximum": 65535},
  "plain_text": {"type": "string", "pattern": "^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]+$"},
  "folder": {
   "type": "string",
   "pattern": "^(\\{workspace\\}|/|(\\{workspace\\})?(/[^/{}\\u0000-\\u0008\\u000a-\\u001f\\u007f]+)+)$",
   "not": {"pattern": "/\\.\\.?(/|$)"}
  },
  "counted_value": {
   "type": "object",
   "properties": {
    "string": {"const": true},
    "integer": {"anyOf": [{"const": true}, {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}]},
    "enum": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"$ref": "#/$defs/plain_text"}},
    "regex": {"type": "string"},
    "glob": {"$ref": "#/$defs/plain_text"},
    "path_under": {"anyOf": [{"$ref": "#/$defs/folder"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/folder"}}]},
    "list": {"$ref": "#/$defs/part"},
    "any_of": {"$ref": "#/$defs/parts"},
    "all_of": {"$ref": "#/$defs/parts"},
    "not": {
     "allOf": [{"$ref": "#/$defs/part"}],
     "type": "object",
     "anyOf": [{"required": ["enum"]}, {"required": ["regex"]}, {"required": ["glob"]}]
    },
    "min": {"$ref": "#/$defs/least"},
    "max": {"$ref": "#/$defs/most"},
    "max_length": {"type": "integer", "minimum": 1, "maximum": 1048576, "description": "bytes"},
    "allow": {"type": "array", "items": {"enum": ["at", "colon", "control", "dash", "empty", "newline", "stdin"]}},
    "separator": {"$ref": "#/$defs/plain_text"},
    "until": {"$ref": "#/$defs/plain_text"}
   },
   "additionalProperties": false,
   "oneOf": [
    {"required": ["string"]},
    {"required": ["integer"]},
    {"required": ["enum"]},
    {"required": ["regex"]},
    {"required": ["glob"]},
    {"required": ["path_under"]},
    {"required": ["list"]},
    {"required": ["any_of"]},
    {"required": ["all_of"]},
    {"required": ["not"]}
   ],
   "dependentRequired": {"separator": ["list"], "until": ["path_under"]},
   "not": {"required": ["allow"], "anyOf": [{"required": ["any_of"]}, {"required": ["all_of"]}]}
  },
)schema";

}  // namespace

std::string_view commands_schema() { return kCommands; }

}  // namespace wardenv::policy::core

// SPDX-License-Identifier: Apache-2.0
// The published JSON Schema. tests/policy compares it with the loader on a table of documents.
#include "policy/core/schema.h"

#include <string>

namespace wardenv::policy {
namespace {

constexpr std::string_view kBegin = R"schema({
 "$schema": "https://json-schema.org/draft/2020-12/schema",
 "$id": "urn:wardenv:policy:1",
 "title": "Wardenv policy",
 "description": "Which tools may be called, with which arguments, how often, under which profile, and who must agree.",
 "type": "object",
 "properties": {
  "$schema": {"type": "string"},
  "version": {"const": "1"},
  "description": {"type": "string"},
  "default": {"enum": ["allow", "deny"]},
  "hide": {"type": "array", "items": {"$ref": "#/$defs/name"}, "uniqueItems": true},
  "all_tools": {"$ref": "#/$defs/tool_rule"},
  "tools": {"$ref": "#/$defs/tools"},
  "profiles": {"type": "object", "propertyNames": {"$ref": "#/$defs/name"}, "additionalProperties": {"$ref": "#/$defs/profile"}},
  "grants": {"type": "object", "propertyNames": {"$ref": "#/$defs/name"}, "additionalProperties": {"$ref": "#/$defs/grant"}},
  "approvals": {"$ref": "#/$defs/approvals"},
  "hooks": {"type": "array", "items": {"$ref": "#/$defs/hook"}},
  "audit": {
   "type": "object",
   "properties": {"plain_arguments": {"type": "array", "items": {"$ref": "#/$defs/name"}}},
   "additionalProperties": false
  }
 },
 "additionalProperties": false,
 "required": ["version"],
 "anyOf": [
  {"required": ["default"]},
  {
   "description": "the older form, in which a missing `default` means allow",
   "required": ["tools"],
   "propertyNames": {"enum": ["version", "description", "hide", "tools", "approvals"]},
   "properties": {"tools": {"minProperties": 1, "additionalProperties": {"required": ["rules"], "maxProperties": 1}}}
  }
 ],
 "$defs": {
  "name": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^\\u0000-\\u001f\\u007f]*$"},
  "duration": {
   "type": "string",
   "pattern": "^0*[1-9][0-9]*(ms|s|m|h|d)$",
   "description": "digits and ms, s, m, h or d; at most 366d"
  },
  "size": {
   "anyOf": [{"type": "string", "pattern": "^0*[1-9][0-9]*[KMG]?$"}, {"type": "integer", "minimum": 1}],
   "description": "bytes; K, M and G are powers of 1024"
  },
  "count": {"type": "integer", "minimum": 1, "maximum": 9223372036854775807},
  "window": {
   "anyOf": [
    {"enum": ["second", "minute", "hour", "day"]},
    {"$ref": "#/$defs/duration"},
    {"type": "integer", "minimum": 1, "maximum": 31622400}
   ],
   "description": "a name, a duration, or seconds"
  },
  "path": {
   "type": "string",
   "minLength": 1,
   "anyOf": [
    {"pattern": "^(/[^/]+)+$"},
    {"pattern": "^[^./][^.]*(\\.[^.]+)*$", "not": {"pattern": "^\\*(\\.|$)|\\.\\*\\.(.*\\.)?\\*(\\.|$)"}}
   ],
   "description": "an argument: \"command\", \"options.depth\", \"args.0\", \"args.*\" (every element), or a JSON pointer"
  },
  "predicate": {
   "type": "object",
   "properties": {"arg": {"$ref": "#/$defs/path"}, "op": true, "value": true, "reason": {"type": "string", "minLength": 1}},
   "additionalProperties": false,
   "required": ["arg", "op", "value"],
   "anyOf": [
    {"properties": {"op": {"enum": ["eq", "neq", "contains"]}}},
    {"properties": {"op": {"enum": ["in", "not_in"]}, "value": {"type": "array"}}},
    {"properties": {"op": {"enum": ["lt", "lte", "gt", "gte"]}, "value": {"type": "number"}}},
    {"properties": {"op": {"enum": ["regex", "glob"]}, "value": {"type": "string", "maxLength": 4096}}},
    {"properties": {"op": {"const": "exists"}, "value": {"type": "boolean"}}},
    {
     "properties": {
      "op": {"const": "under"},
      "value": {
       "type": "string",
       "pattern": "^(\\{workspace\\})?(/[^{]*)?$",
       "minLength": 1,
       "not": {"pattern": "/\\.\\.?(/|$)"}
      }
     }
    }
   ]
  },
  "predicates": {"type": "array", "items": {"$ref": "#/$defs/predicate"}},
  "limit": {
   "type": "object",
   "properties": {
    "counter": {"allOf": [{"$ref": "#/$defs/name"}, {"not": {"pattern": "^/"}}]},
    "window": {"$ref": "#/$defs/window"},
    "max": {"$ref": "#/$defs/count"},
    "scope": {"enum": ["grant", "session", "tool", "global"], "default": "grant"},
    "mode": {"enum": ["sliding", "fixed"], "default": "sliding"},
    "increment_from": {"type": "string", "minLength": 1, "not": {"pattern": "(^|\\.)\\*(\\.|$)"}}
   },
   "additionalProperties": false,
   "required": ["counter", "window", "max"]
  },
  "limits": {"type": "array", "items": {"$ref": "#/$defs/limit"}},
  "rate_limit": {
   "anyOf": [
    {"type": "string", "pattern": "^[1-9][0-9]*/(second|minute|hour|day)$"},
    {
     "type": "object",
     "properties": {"max": {"$ref": "#/$defs/count"}, "window": {"$ref": "#/$defs/window"}},
     "additionalProperties": false,
     "required": ["max", "window"]
    }
   ]
  },
  "condition": {
   "type": "object",
   "properties": {"path": {"type": "string", "pattern": "^(args|state)\\..+"}, "op": true, "value": true},
   "additionalProperties": false,
   "required": ["path", "op", "value"],
   "anyOf": [
    {"properties": {"op": {"enum": ["eq", "neq", "contains"]}}},
    {"properties": {"op": {"enum": ["in", "not_in"]}, "value": {"type": "array"}}},
    {"properties": {"op": {"enum": ["lt", "lte", "gt", "gte"]}, "value": {"type": "number"}}},
    {"properties": {"op": {"enum": ["regex"]}, "value": {"type": "string", "maxLength": 4096}}},
    {"properties": {"op": {"const": "exists"}, "value": {"type": "boolean"}}}
   ]
  },
  "state": {
   "type": "object",
   "properties": {
    "counter": {"$ref": "#/$defs/name"},
    "window": {"$ref": "#/$defs/window"},
    "increment": {"$ref": "#/$defs/count"},
    "increment_from": {"type": "string", "pattern": "^args\\..+"}
   },
   "additionalProperties": false,
   "required": ["counter", "window"]
  },
  "older_rule": {
   "type": "object",
   "properties": {
    "name": {"type": "string", "minLength": 1},
    "description": {"type": "string"},
    "action": {"enum": ["evaluate", "allow", "deny", "require_approval"], "default": "evaluate"},
    "conditions": {"type": "array", "items": {"$ref": "#/$defs/condition"}},
    "rate_limit": {"$ref": "#/$defs/rate_limit"},
    "state": {"$ref": "#/$defs/state"},
    "on_deny": {"type": "string", "minLength": 1},
    "reason": {"type": "string", "minLength": 1},
    "approval_timeout": {"$ref": "#/$defs/duration"},
    "spend": {
     "type": "object",
     "properties": {"per_call": {"type": "number", "minimum": 0}, "daily": {"type": "number", "minimum": 0}},
     "additionalProperties": false,
     "minProperties": 1,
     "description": "nothing here knows what a call pays: a rule with this denies whatever it applies to"
    }
   },
   "additionalProperties": false,
   "allOf": [
    {
     "if": {
      "anyOf": [
       {"required": ["state"]},
       {"required": ["on_deny"]},
       {"required": ["approval_timeout"]},
       {"required": ["conditions"], "properties": {"conditions": {"minItems": 1}}}
      ]
     },
     "then": {"required": ["name"]}
    },
    {
     "if": {"required": ["action"], "properties": {"action": {"const": "deny"}}},
     "then": {"properties": {"conditions": {"maxItems": 0}, "rate_limit": false, "state": false}}
    },
    {"if": {"required": ["rate_limit"]}, "then": {"properties": {"conditions": false, "state": false}}},
    {
     "if": {"required": ["approval_timeout"]},
     "then": {"required": ["action"], "properties": {"action": {"const": "require_approval"}}}
    },
    {
     "if": {"properties": {"action": {"const": "evaluate"}}},
     "then": {
      "anyOf": [
       {"required": ["rate_limit"]},
       {"required": ["spend"]},
       {"required": ["conditions"], "properties": {"conditions": {"minItems": 1}}}
      ]
     }
    }
   ]
  },
  "tool_rule": {
   "type": "object",
   "properties": {
    "description": {"type": "string"},
    "action": {"enum": ["allow", "deny", "require_approval"], "default": "allow"},
    "reason": {"type": "string", "minLength": 1},
    "approval_timeout": {"$ref": "#/$defs/duration"},
    "require": {"$ref": "#/$defs/predicates"},
    "deny_if": {"$ref": "#/$defs/predicates"},
    "commands": {"$ref": "#/$defs/commands"},
    "limits": {"$ref": "#/$defs/limits"},
    "rate_limit": {"$ref": "#/$defs/rate_limit"},
    "rules": {"type": "array", "items": {"$ref": "#/$defs/older_rule"}},
    "profile": {"$ref": "#/$defs/name"}
   },
   "additionalProperties": false,
   "allOf": [
    {
     "if": {"required": ["approval_timeout"]},
     "then": {"required": ["action"], "properties": {"action": {"const": "require_approval"}}}
    }
   ]
  },
  "tools": {
   "type": "object",
   "propertyNames": {"$ref": "#/$defs/name"},
   "properties": {"*": {"$ref": "#/$defs/star"}},
   "additionalProperties": {"$ref": "#/$defs/tool_rule"}
  },
  "star": {
   "allOf": [
    {"$ref": "#/$defs/tool_rule"},
    {"if": {"required": ["rules"]}, "then": {"propertyNames": {"enum": ["rules", "description", "reason"]}}}
   ],
   "description": "with `rules` the older form's wildcard: rules for every tool, which list none; without them a glob like others"
  },
)schema";

constexpr std::string_view kRest = R"schema(  "mount": {
   "type": "object",
   "properties": {
    "source": {
     "type": "string",
     "pattern": "^((\\{workspace\\})?(/[^/]+)+|\\{workspace\\}/?|/)$",
     "not": {"pattern": "/\\.\\.?(/|$)"}
    },
    "target": {"type": "string", "pattern": "^(/[^/]+)+$", "not": {"pattern": "/\\.\\.?(/|$)"}},
    "access": {"enum": ["read-only", "direct"], "default": "read-only"}
   },
   "additionalProperties": false,
   "required": ["source"],
   "if": {"properties": {"source": {"const": "/"}}},
   "then": {"required": ["target"]}
  },
  "profile": {
   "type": "object",
   "properties": {
    "description": {"type": "string"},
    "workspaces": {
     "type": "array",
     "minItems": 1,
     "uniqueItems": true,
     "items": {"type": "string", "pattern": "^/", "not": {"pattern": "/\\.{1,2}(/|$)|//|.+/$"}}
    },
    "venv": {"type": "string", "minLength": 1},
    "venv_access": {"enum": ["read-only", "writable"]},
    "access": {"enum": ["read-only", "direct", "captured"]},
    "network": {"enum": ["none", "egress", "host"]},
    "allow_host": {
     "type": "array",
     "uniqueItems": true,
     "items": {"type": "string", "pattern": "^[ -~]{1,1024}$"}
    },
    "allow_preset": {"type": "array", "uniqueItems": true, "items": {"enum": ["pip-index", "npm-registry", "apt-sources", "git-remote"]}},
    "ca_file": {"type": "string", "pattern": "^/"},
    "headers": {
     "type": "array",
     "items": {
      "type": "object",
      "properties": {
       "host": {"type": "string", "pattern": "^[ -~]{1,1024}$"},
       "name": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"},
       "prefix": {"type": "string", "pattern": "^[ -~]{1,1024}$"},
       "file": {"type": "string", "pattern": "^/"},
       "variable": {"type": "string", "minLength": 1}
      },
      "required": ["host", "name"],
      "oneOf": [{"required": ["file"]}, {"required": ["variable"]}],
      "additionalProperties": false
     }
    },
    "egress_bytes": {"$ref": "#/$defs/size"},
    "egress_rate": {"$ref": "#/$defs/size"},
    "egress_connections": {"type": "integer", "minimum": 1, "maximum": 1000000},
    "egress_at_once": {"type": "integer", "minimum": 1, "maximum": 4096},
    "timeout": {"$ref": "#/$defs/duration"},
    "memory": {"$ref": "#/$defs/size"},
    "processes": {"type": "integer", "minimum": 1, "maximum": 1000000},
    "cpu": {"type": "number", "exclusiveMinimum": 0, "maximum": 4096},
    "output_limit": {"$ref": "#/$defs/size"},
    "on_output_limit": {"enum": ["truncate", "kill"]},
    "tmp_size": {"$ref": "#/$defs/size"},
    "stdin": {"enum": ["null", "inherit"]},
    "allow_degraded": {"type": "array", "uniqueItems": true, "items": {"enum": ["memory", "processes", "cpu", "cgroup"]}},
    "require_cgroup": {"type": "boolean"},
    "mounts": {"type": "array", "items": {"$ref": "#/$defs/mount"}},
    "env": {"type": "array", "items": {"type": "string", "pattern": "^[^=\\u0000-\\u0020\\u007f]+="}},
    "environment": {
     "type": "object",
     "propertyNames": {"pattern": "^[^=\\u0000-\\u0020\\u007f]+$"},
     "additionalProperties": {"type": "string"}
    },
    "seccomp": {
     "type": "object",
     "properties": {"allow": {"type": "array", "uniqueItems": true, "items": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"}}},
     "additionalProperties": false
    }
   },
   "additionalProperties": false,
   "if": {
    "anyOf": [
     {"required": ["allow_host"], "properties": {"allow_host": {"minItems": 1}}},
     {"required": ["egress_bytes"]}, {"required": ["egress_rate"]}, {"required": ["egress_connections"]}, {"required": ["egress_at_once"]}
    ]
   },
   "then": {"properties": {"network": {"const": "egress"}}}
  },
  "grant": {
   "type": "object",
   "properties": {
    "description": {"type": "string"},
    "token_sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    "tools": {"type": "array", "items": {"$ref": "#/$defs/name"}, "uniqueItems": true},
    "profile": {"$ref": "#/$defs/name"},
    "limits": {"$ref": "#/$defs/limits"}
   },
   "additionalProperties": false
  },
  "webhook": {
   "type": "object",
   "properties": {
    "url": {"type": "string", "pattern": "^https?://[^/\\s\"<>\\\\^`{|}][^\\s\"<>\\\\^`{|}]*$", "maxLength": 2048},
    "secret_env": {"$ref": "#/$defs/name"}
   },
   "additionalProperties": false,
   "required": ["url"]
  },
  "signed_webhook": {"$ref": "#/$defs/webhook", "required": ["secret_env"]},
  "approvals": {
   "type": "object",
   "properties": {
    "timeout": {"$ref": "#/$defs/duration"},
    "dedupe_window": {"$ref": "#/$defs/duration"},
    "webhook": {"$ref": "#/$defs/signed_webhook"},
    "notify": {"type": "object", "properties": {"webhook": {"$ref": "#/$defs/webhook"}}, "additionalProperties": false}
   },
   "additionalProperties": false,
   "not": {"required": ["webhook", "notify"], "properties": {"notify": {"required": ["webhook"]}}}
  },
  "hook": {
   "type": "object",
   "properties": {
    "name": {"$ref": "#/$defs/name"},
    "event": {"enum": ["before_run", "after_run"]},
    "run": {
     "type": "array",
     "minItems": 1,
     "prefixItems": [{"type": "string", "pattern": "^(/|[^/]+$)"}],
     "items": {"type": "string"}
    },
    "http": {"type": "string", "pattern": "^http://[^/\\s\"<>\\\\^`{|}][^\\s\"<>\\\\^`{|}]*$", "maxLength": 2048},
    "timeout": {"$ref": "#/$defs/duration"}
   },
   "additionalProperties": false,
   "required": ["name", "event"],
   "oneOf": [{"required": ["run"]}, {"required": ["http"]}]
  }
 }
}
)schema";

}  // namespace

std::string_view document_schema() {
  static const std::string schema = std::string(kBegin) + std::string(core::commands_schema()) + std::string(kRest);
  return schema;
}

}  // namespace wardenv::policy

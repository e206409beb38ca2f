// SPDX-License-Identifier: Apache-2.0
// Reads {schema, documents: [...]} from standard input; prints which documents the schema accepts, as a list of booleans.
'use strict';
const Ajv2020 = require('ajv/dist/2020').default;
const {schema, documents} = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const ajv = new Ajv2020({strict: false, allErrors: false});
if (!ajv.validateSchema(schema)) throw new Error('the schema is none: ' + ajv.errorsText());
const validate = ajv.compile(schema);
process.stdout.write(JSON.stringify(documents.map((document) => validate(document))));

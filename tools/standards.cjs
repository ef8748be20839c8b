// Checks the contract's files with npm's tools of their standards; tools/standards.py runs it.
// Its argument is the folder `events`. It prints each fault as a line, and nothing if there is none.

"use strict";

const { deepStrictEqual } = require("node:assert");
const { readFileSync, readdirSync } = require("node:fs");
const { join } = require("node:path");
const { Parser, fromFile } = require("@asyncapi/parser");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");
const { HTTP } = require("cloudevents");

const events = process.argv[2];
const faults = [];

function attempt(what, check) {
  try {
    check();
  } catch (error) {
    faults.push(`${what}: ${error.message}`);
  }
}

function texts(folder) {
  return readdirSync(join(events, folder)).map((name) => [
    name,
    readFileSync(join(events, folder, name), "utf8"),
  ]);
}

async function checkTopic() {
  const { diagnostics } = await fromFile(new Parser(), join(events, "asyncapi.yaml")).parse();
  for (const { message, path } of diagnostics) {
    faults.push(`asyncapi.yaml: ${path.join(".")}: ${message}`);
  }
}

function checkSchemas() {
  const ajv = new Ajv({ strict: true, allErrors: true });
  addFormats(ajv);
  const schemas = new Map();
  for (const [name, text] of texts("schemas")) {
    attempt(`schemas/${name}`, () => schemas.set(name, ajv.compile(JSON.parse(text))));
  }
  return schemas;
}

function checkSamples(schemas) {
  for (const [name, text] of texts("samples")) {
    attempt(`samples/${name}`, () => {
      const fits = schemas.get(name.replace(".reference.", "."));
      if (!fits(JSON.parse(text))) {
        throw new Error(JSON.stringify(fits.errors));
      }
      const headers = { "content-type": "application/cloudevents+json" };
      const event = HTTP.toEvent({ headers, body: text });
      event.validate();
      deepStrictEqual(JSON.parse(event.toString()), JSON.parse(text));
    });
  }
}

checkTopic().then(() => {
  checkSamples(checkSchemas());
  faults.forEach((fault) => console.log(fault));
  process.exitCode = faults.length ? 1 : 0;
});

// Do manifests say what the Kubernetes API takes? Required members, types, enums and formats by the schemas compiled
// from its OpenAPI document (kubernetes-models), unknown members by its client's classes, and the kinds of the Prometheus
// Operator by theirs.
//
//   node validate.mjs DIRECTORY_WITH_NODE_MODULES FILE...
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [home, ...files] = process.argv.slice(2);
const require = createRequire(path.resolve(home, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { parseAllDocuments } = await load("yaml");
const client = await load("@kubernetes/client-node");

async function schemaOf({ apiVersion, kind }) {
  if (apiVersion.startsWith("monitoring.coreos.com/"))
    return (await operatorKinds(apiVersion))[kind];
  return require(`kubernetes-models/${apiVersion}`)[kind];
}

// It only comes as modules for `import`, so it is looked for where it lies.
async function operatorKinds(apiVersion) {
  const folder = path.resolve(home, "node_modules/@kubernetes-models/prometheus-operator", apiVersion);
  const index = readdirSync(folder).find((name) => /^index\.m?js$/.test(name));
  return import(pathToFileURL(path.join(folder, index)));
}

// Members that the API would drop, or refuse where it is strict.
function* unknownMembers(value, type, where) {
  const list = /^Array<(.*)>$/.exec(type);
  if (list) {
    for (const [i, each] of value.entries()) yield* unknownMembers(each, list[1], `${where}[${i}]`);
    return;
  }
  if (value === null || typeof value !== "object" || !client[type]?.getAttributeTypeMap) return;
  const known = new Map(client[type].getAttributeTypeMap().map((each) => [each.baseName, each.type]));
  for (const [name, inner] of Object.entries(value)) {
    if (known.has(name)) yield* unknownMembers(inner, known.get(name), `${where}.${name}`);
    else yield `${where}.${name} is no member of ${type}`;
  }
}

async function complaints(manifest) {
  const schema = await schemaOf(manifest);
  if (!schema) return [`no schema for ${manifest.apiVersion}`];
  const found = [];
  try {
    new schema(manifest).validate();
  } catch (error) {
    found.push(error.message);
  }
  const version = manifest.apiVersion.split("/").pop();
  found.push(...unknownMembers(manifest, version[0].toUpperCase() + version.slice(1) + manifest.kind, ""));
  return found;
}

let checked = 0;
let wrong = 0;
for (const file of files) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    const manifest = document.toJS();
    if (!manifest) continue;
    checked += 1;
    for (const each of [...document.errors, ...(await complaints(manifest))]) {
      wrong += 1;
      console.log(`${file}: ${manifest.kind}/${manifest.metadata?.name}: ${each}`);
    }
  }
}
console.log(`${checked} manifests, ${wrong} complaints`);
process.exit(checked > 0 && wrong === 0 ? 0 : 1);

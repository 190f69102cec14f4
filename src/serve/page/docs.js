// Shows openapi.json as a page.
import {avatar} from "./avatar.js";
import {kept} from "./storage.js";

const $ = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A "$ref" within the document, looked up.
function resolve(document, part) {
  if (!part || !part.$ref) return part || {};
  return part.$ref.slice(2).split("/").reduce((place, key) => place[key], document);
}

function typeText(document, given) {
  const schema = resolve(document, given);
  if (schema.title) return schema.title;
  if (schema.const) return schema.const;
  if (schema.enum) return schema.enum.join(" or ");
  if (schema.type === "array") return "list of " + typeText(document, schema.items);
  if (schema.additionalProperties) return "one " + typeText(document, schema.additionalProperties) + " for each";
  return [schema.type].flat().join(" or ") + (schema.minimum === undefined ? "" : " from " + schema.minimum + " to " + schema.maximum);
}

// All members of an object, or of the forms that it may have.
function membersOf(document, given) {
  const schema = resolve(document, given);
  return Object.assign({}, ...(schema.anyOf || []).map((each) => membersOf(document, each)), schema.properties);
}

// Adds the schemas in this one that have a title, by it.
function collectTitled(document, given, found) {
  if (!given) return;
  if (given.title) found.set(given.title, given);
  [...Object.values(membersOf(document, given)), given.items, given.additionalProperties].forEach((each) => collectTitled(document, each, found));
}

function table(rows, heads) {
  const line = (cells, name) => element("tr", {}, ...cells.map((cell) => element(name, name === "th" ? {scope: "col"} : {}, cell)));
  return element("div", {className: "wide-table", tabIndex: 0, role: "group", ariaLabel: heads.join(", ")},
                 element("table", {className: "facts"}, element("thead", {}, line(heads, "th")), element("tbody", {}, ...rows.map((row) => line(row, "td")))));
}

function propertiesOf(document, schema) {
  return Object.entries(membersOf(document, schema)).map(([name, value]) => [element("code", {}, name), typeText(document, value), resolve(document, value).description || ""]);
}

function operation(document, path, method, each) {
  const card = element("section", {className: "card"}, element("h2", {}, element("span", {className: "tag"}, method.toUpperCase()), " ", element("code", {}, path)),
                       element("p", {}, each.summary + "."));
  if (each.description) card.append(element("p", {className: "hint"}, each.description));
  const parameters = (each.parameters || []).map((given) => resolve(document, given)).map((given) => {
    const schema = resolve(document, given.schema);
    return [element("code", {}, given.name), typeText(document, given.schema), schema.description || given.description || "", String(schema.default === undefined ? "" : schema.default)];
  });
  if (each.requestBody) {
    const body = resolve(document, each.requestBody);
    card.append(element("p", {className: "hint"}, body.description + ": " + Object.keys(body.content).join(", ") + "."));
  }
  if (parameters.length > 0) card.append(table(parameters, ["Field", "Type", "Meaning", "Default"]));
  const rows = Object.entries(each.responses).map(([status, given]) => [element("code", {}, status), resolve(document, given).description + "."]);
  card.append(table(rows, ["Status", "Answer"]));
  const answer = each.responses["200"].content;
  if (answer) card.append(table(propertiesOf(document, answer["application/json"].schema), ["Answer", "Type", "Meaning"]));
  return card;
}

function examples() {
  const address = location.origin + location.pathname.replace(/docs$/, "");
  return ["curl -F file=@me.jpg " + address + "predict", "curl -F file=@one.jpg -F file=@two.jpg " + address + "predict",
          "curl -F file=@me.jpg -F goal=any-to-sad -F eps=4/255 -F model=robust " + address + "attack",
          "curl -F file=@me.jpg -F goal=any-to-sad " + address + "smallest"].join("\n");
}

async function show() {
  $("brand-face").replaceChildren(avatar("Happy"));
  $("try").textContent = examples();
  const document = await (await fetch("openapi.json")).json();
  $("about").textContent = document.info.description;
  const titled = new Map();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, each] of Object.entries(methods)) {
      $("paths").append(operation(document, path, method, each));
      const answer = each.responses["200"].content;
      if (answer) collectTitled(document, answer["application/json"].schema, titled);
    }
  }
  for (const [name, schema] of titled) $("schemas").append(element("h3", {}, name), table(propertiesOf(document, schema), ["Field", "Type", "Meaning"]));
}

if (kept("localStorage", "theme")) document.documentElement.dataset.theme = kept("localStorage", "theme");
show().catch((error) => { $("message").textContent = "The description cannot be read: " + error.message; });

// Serves elsewhere.html on a free port of its own, which it prints: a page of another site.
"use strict";
const fs = require("fs");
const http = require("http");
const path = require("path");

const page = fs.readFileSync(path.join(__dirname, "elsewhere.html"));
const server = http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(page);
});
server.listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + server.address().port));

// Has npm's MDN HTTP Observatory look at paths of a service, as it would look at a site.
//
// This script is the proxy in front: it speaks TLS on one port and plain HTTP on another, and says which of the two
// in X-Forwarded-Proto. The scanner of the package makes its own requests; nothing leaves this machine.
//
// stdin:  { upstream, port, key, certificate, paths }   TLS is spoken on that port
// stdout: [{ score, grade, tests: { name: { result, modifier } } }, …]
// NODE_EXTRA_CA_CERTS names the certificate.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { text } from "node:stream/consumers";

// The package downloads the preload list when it is installed with its scripts. Here nobody is on it.
const readFileSync = fs.readFileSync;
fs.readFileSync = (path, ...rest) =>
  String(path).endsWith("hsts-preload.json") ? "{}" : readFileSync(path, ...rest);

const source = "@mdn/mdn-http-observatory/src";
const { ALL_RESULTS, ALL_TESTS } = await import(`${source}/constants.js`);
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await import(`${source}/grader/charts.js`);
const { getGradeForScore, getScoreModifier } = await import(`${source}/grader/grader.js`);
const { CONFIG } = await import(`${source}/config.js`);
const { retrieve } = await import(`${source}/retriever/retriever.js`);

const { upstream, port, key, certificate, paths } = JSON.parse(await text(process.stdin));

const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding"]);

const forward = (scheme) => (request, response) => {
  const onward = http.request(
    {
      host: "127.0.0.1",
      port: upstream,
      method: request.method,
      path: request.url,
      headers: { ...request.headers, "x-forwarded-proto": scheme },
      // Lines that Node would join, or drop, stay as they are.
      joinDuplicateHeaders: false,
    },
    (answer) => {
      const lines = [];
      for (let i = 0; i < answer.rawHeaders.length; i += 2) {
        if (!HOP_BY_HOP.has(answer.rawHeaders[i].toLowerCase())) lines.push(answer.rawHeaders[i], answer.rawHeaders[i + 1]);
      }
      response.writeHead(answer.statusCode, lines);
      answer.pipe(response);
    },
  );
  onward.on("error", (error) => response.destroy(error));
  request.pipe(onward);
};

const listen = (server, port) => new Promise((resolve) => server.listen(port, () => resolve(server.address().port)));

const plain = http.createServer(forward("http"));
const tls = https.createServer({ key, cert: certificate }, forward("https"));
const options = { httpPort: await listen(plain, 0), httpsPort: await listen(tls, port) };

// The rule on reflected origins looks for the request's headers where Node's own requests have none, and so never
// finds one; the tests of the package put them there, too.
const withOrigin = (requests) => {
  const { cors } = requests.responses;
  if (cors) cors.request = { headers: { origin: CONFIG.retriever.corsOrigin } };
  return requests;
};

// Version 1.4.8 takes several policies in one line for a single broken one; later versions part them at the commas
// (RFC 9110 §5.3), as browsers do.
const withPolicies = (requests) => {
  const { auto } = requests.responses;
  const name = "content-security-policy";
  const line = auto?.headers[name];
  if (line !== undefined) auto.headers[name] = [line].flat().flatMap((policies) => policies.split(","));
  return requests;
};

// What `scan` of the package does, which takes no ports.
const scan = async (path) => {
  const requests = withOrigin(withPolicies(await retrieve("localhost", { ...options, path })));
  if (!requests.responses.auto) throw new Error(`${path} does not answer`);
  const tests = {};
  let all = 100;
  let lost = 100;
  for (const [index, test] of ALL_TESTS.entries()) {
    const { result } = test(requests);
    const modifier = getScoreModifier(result);
    tests[ALL_RESULTS[index].name] = { result, modifier };
    all += modifier;
    if (modifier < 0) lost += modifier;
  }
  return { ...getGradeForScore(lost >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? all : lost), tests };
};

const results = [];
for (let i = 0; i < paths.length; i += 8) {
  results.push(...(await Promise.all(paths.slice(i, i + 8).map(scan))));
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));

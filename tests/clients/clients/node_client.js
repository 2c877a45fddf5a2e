// Node: http with and without a kept connection, and fetch.
const http = require('http');

const base = process.argv[2];
const note = (operation, status, fields, body) =>
  console.log(JSON.stringify([operation, status, fields, body.toString('latin1')]));
const pairs = (raw) => raw.reduce((all, text, i) => (i % 2 ? all[all.length - 1].push(text) : all.push([text]), all), []);

function simple(operation, method, path, { body, fields = {}, agent, chunks, trailers } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(base + path, { method, headers: fields, agent }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const received = [...pairs(response.rawHeaders), ...pairs(response.rawTrailers)];
        note(operation, response.statusCode, received, Buffer.concat(parts));
        resolve();
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    for (const chunk of chunks || []) request.write(chunk);
    if (trailers) request.addTrailers(trailers);
    if (fields.Expect) request.on('continue', () => request.end(body));
    else request.end(body);
  });
}

async function main() {
  await simple('get', 'GET', '/echo?x=1&y=a%20b');
  await simple('head', 'HEAD', '/echo');
  await simple('post', 'POST', '/echo', { body: 'hello', fields: { 'Content-Length': 5, 'X-Case': 'A' } });
  await simple('post chunks', 'POST', '/echo', { chunks: ['hello', ' ', 'world'] });
  await simple('post trailers', 'POST', '/echo', { chunks: ['hello'], fields: { Trailer: 'X-Sum' }, trailers: { 'X-Sum': '5' } });
  await simple('expect', 'POST', '/echo', { body: 'hello', fields: { 'Content-Length': 5, Expect: '100-continue' } });
  await simple('put a MiB', 'PUT', '/echo', { body: 'x'.repeat(1 << 20), fields: { 'Content-Length': 1 << 20 } });
  await simple('patch', 'PATCH', '/echo', { body: '[]' });
  await simple('delete', 'DELETE', '/echo');
  for (const path of ['chunked', 'large', 'empty', 'redirect', 'gzip', 'close', 'missing'])
    await simple(path, 'GET', '/' + path);
  await simple('trailers', 'GET', '/trailers', { fields: { TE: 'trailers', Connection: 'TE' } });
  await simple('stale', 'GET', '/etag', { fields: { 'If-None-Match': '"v1"' } });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let turn = 0; turn < 5; ++turn) await simple(`kept ${turn}`, turn % 2 ? 'POST' : 'GET', `/echo?${turn}`, { agent, body: turn % 2 ? 'again' : undefined });
  agent.destroy();
  if (typeof fetch !== 'function') return;
  const fetched = async (operation, path, options) => {
    const response = await fetch(base + path, options);
    note(operation, response.status, [...response.headers], Buffer.from(await response.arrayBuffer()));
  };
  for (const path of ['/echo', '/redirect', '/gzip', '/chunked', '/large', '/empty', '/missing']) await fetched('fetch ' + path, path);
  await fetched('fetch post', '/echo', { method: 'POST', body: JSON.stringify({ a: 'M\u00fcller' }), headers: { 'Content-Type': 'application/json' } });
}

main().catch((error) => { console.error(error); process.exit(1); });

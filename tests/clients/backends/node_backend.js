// Node's own server.
const { createHash } = require('crypto');
const http = require('http');
const zlib = require('zlib');

const ofTheConnection = new Set(['connection', 'keep-alive', 'te', 'upgrade', 'http2-settings']);

http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => serve(request, response, Buffer.concat(parts)));
}).listen(Number(process.argv[2]), '127.0.0.1');

function serve(request, response, body) {
  const whole = (status, fields, text) => {
    response.writeHead(status, { 'Content-Length': Buffer.byteLength(text), ...fields });
    response.end(text);
  };
  switch (request.url.split('?')[0]) {
    case '/echo': {
      const fields = [];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        if (!ofTheConnection.has(request.rawHeaders[i].toLowerCase())) fields.push(request.rawHeaders.slice(i, i + 2));
      }
      const digest = createHash('sha256').update(body).digest('hex');
      return whole(200, { 'Content-Type': 'application/json' }, JSON.stringify(
        { method: request.method, target: request.url, fields, trailers: request.rawTrailers, body: [body.length, digest] }));
    }
    case '/chunked':
      response.write('one');
      response.write('two'.repeat(1000));
      return setTimeout(() => response.end('three'), 20);
    case '/trailers':
      response.writeHead(200, { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' });
      response.write('hello');
      response.addTrailers({ 'X-Sum': '5' });
      return response.end();
    case '/large':
      return whole(200, {}, Buffer.alloc(1 << 20, Buffer.from([...Array(256).keys()])));
    case '/empty':
      response.writeHead(204);
      return response.end();
    case '/etag':
      if (request.headers['if-none-match'] !== '"v1"') return whole(200, { ETag: '"v1"' }, 'tagged');
      response.writeHead(304, { ETag: '"v1"' });
      return response.end();
    case '/redirect':
      return whole(302, { Location: '/echo?redirected' }, '');
    case '/gzip':
      return whole(200, { 'Content-Encoding': 'gzip' }, zlib.gzipSync('packed'.repeat(100)));
    case '/close':
      response.writeHead(200, { Connection: 'close' });
      return response.end('until the end');
    default:
      return whole(404, { 'Content-Type': 'text/plain' }, 'no such thing');
  }
}

#!/usr/bin/env bash
# The most used EventSource packages of Node drop the id of an event that has an id and no data: after a reconnect they send the
# id before it as Last-Event-ID. By the standard, and in browsers and in undici, such an event advances it. A server that tells
# filtered clients their place by id-only events sends these clients back to where the last data was, each time. undici
# differs elsewhere: a line `id` without a value, which by the standard clears the id, leaves it as it was.
#
# Seen (Node 20; the header after the reconnect):
#   after `id: 5` with data, then `id: 6` alone:   eventsource 4.1.1 5, launchdarkly-eventsource 2.2.0 5, undici 6.29.1 6
#   after `id: 5` with data, then `id` with data:  eventsource none, launchdarkly-eventsource none, undici 5
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund eventsource@4.1.1 undici@6.29.1 launchdarkly-eventsource@2.2.0 >/dev/null
cat >clients.mjs <<'JS'
import http from 'node:http';
import { createRequire } from 'node:module';
import { EventSource as eventsource } from 'eventsource';
import { EventSource as undici } from 'undici';
const { EventSource: launchdarkly } = createRequire(import.meta.url)('launchdarkly-eventsource');

// What the client sends as Last-Event-ID when it comes back after `body`.
function idAfter(Client, body) {
  return new Promise((resolve) => {
    let client, requests = 0;
    const server = http.createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (++requests === 1) {
        response.write(`retry: 50\n\n${body}`);
        setTimeout(() => response.end(), 200);
        return;
      }
      resolve(request.headers['last-event-id'] ?? 'none');
      client.close();
      response.end();
      server.close();
    });
    server.listen(0, '127.0.0.1', () => {
      client = new Client(`http://127.0.0.1:${server.address().port}/`);
      client.onmessage = client.onerror = () => {};
    });
  });
}
for (const body of ['id: 5\ndata: a\n\nid: 6\n\n', 'id: 5\ndata: a\n\nid\ndata: b\n\n']) {
  const seen = [];
  for (const [name, Client] of Object.entries({ eventsource, launchdarkly, undici })) {
    seen.push(`${name} ${await idAfter(Client, body)}`);
  }
  console.log(seen.join(', '));
}
process.exit(0);
JS
seen=$(timeout 60 node --no-warnings clients.mjs)
echo "$seen"
[ "$seen" = "eventsource 5, launchdarkly 5, undici 6
eventsource none, launchdarkly none, undici 5" ]

'use strict';
// The reference gateway: the service that Mainstay guards in every test that needs a real one.
//
//   GET  /health         200 while the event loop turns: the liveness probe. Tells how database and cache were last seen.
//   GET  /ready          200 while the database and the cache answer, otherwise 503.
//   GET  /work?ms=N      N ms of CPU, one cache look-up, one query.
//   GET  /metrics        Prometheus text.
//   POST /fault/NAME     breaks it on purpose (faults.js). Only with GATEWAY_FAULTS=1.
//
// SIGTERM drains: no new connection, what is under way is answered, then exit 0.

const http = require('http');
const { Pool } = require('pg');
const redis = require('redis');
const { Faults } = require('./faults.js');
const { Metrics } = require('./metrics.js');

const settings = {
  host: process.env.HOST || '127.0.0.1',
  port: Number(process.env.PORT || 3000),
  databaseURL: process.env.DATABASE_URL || 'postgres://gateway@127.0.0.1/gateway',
  redisURL: process.env.REDIS_URL || 'redis://127.0.0.1:6379',
  poolSize: Number(process.env.DB_POOL_SIZE || 10),
  drainMs: Number(process.env.DRAIN_MS || 4000),
  slowMs: Number(process.env.SLOW_MS || 0), // what a bad configuration costs each request
  faultsAllowed: process.env.GATEWAY_FAULTS === '1',
};

if (process.env.CRASH_AT_START === '1') {
  console.error('gateway: CRASH_AT_START is set: giving up before serving');
  process.exit(1);
}

const database = new Pool({
  connectionString: settings.databaseURL,
  max: settings.poolSize,
  connectionTimeoutMillis: 1000, // an exhausted pool answers 503, it does not queue without end
  query_timeout: 2000,
});
const cache = redis.createClient({
  url: settings.redisURL,
  disableOfflineQueue: true, // a look-up during an outage fails at once
  socket: { connectTimeout: 1000, reconnectStrategy: attempt => Math.min(100 * 2 ** attempt, 2000) },
});

// How each dependency was last seen. A change is logged once, a standing outage is not repeated.
const seen = { database: 'unknown', cache: 'unknown' };
function note(dependency, error) {
  const state = error ? 'down' : 'ok';
  if (seen[dependency] !== state) console.log(`gateway: ${dependency} is ${state}${error ? `: ${error.message}` : ''}`);
  seen[dependency] = state;
}
database.on('error', error => note('database', error)); // an idle connection was lost
cache.on('error', error => note('cache', error));
cache.on('ready', () => note('cache', null));
cache.connect().catch(error => note('cache', error));

const metrics = new Metrics();
const faults = new Faults({ database, maxConnections: settings.poolSize });
let inFlight = 0;
let draining = false;

/** Runs `operation` and notes whether `dependency` answered. */
async function using(dependency, operation) {
  try {
    const result = await operation();
    note(dependency, null);
    return result;
  } catch (error) {
    note(dependency, error);
    throw error;
  }
}

const lookUp = key => using('cache', () => cache.get(key));
const query = (text, values) => using('database', () => database.query(text, values));

/** Spends `ms` of this process's CPU time: longer than `ms` on the wall when the host is busy. */
function burn(ms) {
  const start = process.cpuUsage();
  const spentMs = () => { const spent = process.cpuUsage(start); return (spent.user + spent.system) / 1000; };
  let sum = 0;
  while (spentMs() < ms) for (let i = 0; i < 20000; i++) sum += Math.sqrt(i);
  return sum;
}

async function work(url) {
  const ms = Math.min(Number(url.searchParams.get('ms') || 1), 10000);
  burn(ms);
  const [cached, result] = await Promise.all([lookUp('greeting'), query('SELECT now() AS time')]);
  return { code: 200, body: { cached, time: result.rows[0].time, cpuMs: ms } };
}

async function ready() {
  const outcomes = await Promise.allSettled([query('SELECT 1'), using('cache', () => cache.ping())]);
  const isReady = outcomes.every(outcome => outcome.status === 'fulfilled') && !draining;
  return { code: isReady ? 200 : 503, body: { status: isReady ? 'ready' : 'not ready', draining, ...seen } };
}

function health() {
  const status = draining ? 'draining' : 'ok';
  return { code: draining ? 503 : 200, body: { status, pid: process.pid, uptimeSeconds: process.uptime(), ...seen } };
}

/** A served request: the faults `slow` and `errors` apply, and it counts in the metrics if it is `counted`. */
async function serve(request, response, handle, counted) {
  const began = process.hrtime.bigint();
  inFlight += 1;
  let answer;
  try {
    if (counted && settings.slowMs > 0) await new Promise(resolve => setTimeout(resolve, settings.slowMs));
    answer = (await faults.interfere()) || (await handle());
  } catch (error) {
    answer = { code: 503, body: { error: error.message } };
  }
  inFlight -= 1;
  if (counted) metrics.observe(answer.code, Number(process.hrtime.bigint() - began) / 1e9);
  send(response, answer);
}

function send(response, { code, body, type = 'application/json' }) {
  if (draining) response.setHeader('Connection', 'close');
  response.writeHead(code, { 'Content-Type': type });
  response.end(typeof body === 'string' ? body : `${JSON.stringify(body)}\n`);
}

function injectFault(url, response) {
  const name = url.pathname.slice('/fault/'.length);
  if (!settings.faultsAllowed) return send(response, { code: 403, body: { error: 'GATEWAY_FAULTS is not 1' } });
  const fault = faults.named(name, url.searchParams);
  if (!fault) return send(response, { code: 404, body: { error: `no fault ${name}`, known: faults.names } });
  response.once('finish', () => setImmediate(fault)); // answered first: the caller's clock starts at this answer
  send(response, { code: 202, body: { fault: name } });
}

function figures() {
  const memory = process.memoryUsage();
  return metrics.render({
    gateway_requests_in_flight: inFlight,
    gateway_heap_used_bytes: memory.heapUsed,
    gateway_heap_total_bytes: memory.heapTotal,
    gateway_external_bytes: memory.external,
    gateway_resident_bytes: memory.rss,
    gateway_pool_connections: database.totalCount,
    gateway_pool_idle_connections: database.idleCount,
    gateway_pool_waiting_requests: database.waitingCount,
    gateway_pool_max_connections: settings.poolSize,
    process_start_time_seconds: Date.now() / 1000 - process.uptime(),
  });
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://gateway');
  if (request.method === 'POST' && url.pathname.startsWith('/fault/')) return injectFault(url, response);
  switch (url.pathname) {
    case '/health': return serve(request, response, health, false);
    case '/ready': return serve(request, response, ready, false);
    case '/work': return serve(request, response, () => work(url), true);
    case '/metrics': return send(response, { code: 200, type: 'text/plain; version=0.0.4', body: figures() });
    default: return serve(request, response, () => ({ code: 404, body: { error: 'no such path' } }), true);
  }
});

async function drain() {
  if (draining) return;
  draining = true;
  console.log(`gateway: draining ${inFlight} request(s)`);
  setTimeout(() => {
    console.error(`gateway: ${inFlight} request(s) unanswered after ${settings.drainMs} ms`);
    process.exit(1);
  }, settings.drainMs).unref();
  await new Promise(resolve => { server.close(resolve); server.closeIdleConnections(); });
  await Promise.allSettled([database.end(), cache.isOpen ? cache.quit() : null]);
  console.log('gateway: drained');
  process.exit(0);
}

process.on('SIGTERM', drain);
process.on('SIGINT', drain);
server.listen(settings.port, settings.host, () => {
  console.log(`gateway: serving on ${settings.host}:${settings.port}, pid ${process.pid}`);
});

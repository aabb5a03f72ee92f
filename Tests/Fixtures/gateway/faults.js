'use strict';
// Every way in which the gateway can be broken on purpose. `loop`, `block` and `exit` end its service for good;
// the others last until `clear`.

const fs = require('fs');
const path = require('path');
const v8 = require('v8');
const vm = require('vm');
const { Worker } = require('worker_threads');

const mebibyte = 1 << 20;
const forEver = () => { for (;;); };

class Faults {
  /** `database` is the pool that the fault `pool` exhausts. */
  constructor({ database, maxConnections }) {
    this.database = database;
    this.maxConnections = maxConnections;
    this.reset();
  }

  reset() {
    clearInterval(this.leakTimer);
    clearInterval(this.fileTimer);
    for (const connection of this.connections || []) connection.release();
    for (const file of this.files || []) fs.closeSync(file);
    this.connections = [];
    this.files = [];
    this.leaked = [];
    this.slowMs = 0;
    this.errorRate = 0;
  }

  get names() {
    return ['loop', 'block', 'leak', 'fds', 'pool', 'slow', 'errors', 'exit', 'gc', 'clear'];
  }

  /** The act of the fault `name`, not yet begun; null where there is none of that name. */
  named(name, parameters) {
    const number = (key, otherwise) => Number(parameters.get(key) || otherwise);
    switch (name) {
      case 'loop':
        if (parameters.get('io') === '1') return () => this.logForEver();
        if (parameters.get('worker') === '1') return () => this.loopBesideBusyWorker();
        return forEver;
      case 'block': return () => this.block();
      case 'leak': return () => this.leak(number('mb_per_s', 10));
      case 'fds': return () => this.openFiles(number('per_s', 200));
      case 'pool': return () => this.takeEveryConnection();
      case 'slow': return () => { this.slowMs = number('ms', 1000); };
      case 'errors': return () => { this.errorRate = number('rate', 1); };
      case 'exit': return () => process.exit(number('code', 1));
      case 'gc': return () => this.collectGarbage();
      case 'clear': return () => this.reset();
      default: return null;
    }
  }

  /** What `slow` and `errors` do to one request: an answer in place of the handler's, or nothing. */
  async interfere() {
    if (this.slowMs > 0) await new Promise(resolve => setTimeout(resolve, this.slowMs));
    if (Math.random() < this.errorRate) return { code: 500, body: { error: 'the fault `errors` is on' } };
    return null;
  }

  /** A log storm: millions of write calls and nobody served. The file is written round, so it stays under 1 MiB. */
  logForEver() {
    const line = Buffer.from('gateway: something is wrong, trying again\n');
    const lines = Math.floor(mebibyte / line.length);
    const log = fs.openSync(path.join(process.env.LOGS_DIRECTORY || '/tmp', 'gateway-storm.log'), 'w');
    for (let i = 0; ; i = (i + 1) % lines) fs.writeSync(log, line, 0, line.length, i * line.length);
  }

  /** The main thread spins while a worker reads and burns, so that the process as a whole seems to make progress. */
  loopBesideBusyWorker() {
    new Worker(path.join(__dirname, 'busy-worker.js')).once('online', forEver);
  }

  /** One synchronous wait without an end: no CPU, no system call returns. */
  block() {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }

  leak(mebibytesPerSecond) {
    clearInterval(this.leakTimer);
    const ticksPerSecond = 10;
    const doubles = Math.round((mebibytesPerSecond * mebibyte) / 8 / ticksPerSecond);
    this.leakTimer = setInterval(() => this.leaked.push(new Array(doubles).fill(0.5)), 1000 / ticksPerSecond);
  }

  openFiles(filesPerSecond) {
    clearInterval(this.fileTimer);
    this.fileTimer = setInterval(() => {
      for (let i = 0; i < filesPerSecond / 10; i++) {
        try {
          this.files.push(fs.openSync('/dev/null'));
        } catch (error) {
          console.error(`gateway: ${this.files.length} leaked files: ${error.message}`);
          return clearInterval(this.fileTimer);
        }
      }
    }, 100);
  }

  takeEveryConnection() {
    for (let i = 0; i < this.maxConnections; i++) {
      this.database.connect().then(connection => this.connections.push(connection), () => {});
    }
  }

  /** A full collection: the pause that must not be taken for a hang. */
  collectGarbage() {
    v8.setFlagsFromString('--expose-gc');
    vm.runInNewContext('gc')();
  }
}

module.exports = { Faults };

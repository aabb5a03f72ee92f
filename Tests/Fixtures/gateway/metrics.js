'use strict';
// The gateway's own figures in Prometheus's text format 0.0.4.

const bucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

class Metrics {
  constructor() {
    this.requestsByCode = new Map();
    this.countByBucket = bucketsSeconds.map(() => 0);
    this.count = 0;
    this.sumSeconds = 0;
  }

  observe(code, seconds) {
    this.requestsByCode.set(code, (this.requestsByCode.get(code) || 0) + 1);
    this.count += 1;
    this.sumSeconds += seconds;
    const bucket = bucketsSeconds.findIndex(limit => seconds <= limit);
    if (bucket >= 0) this.countByBucket[bucket] += 1; // slower than the last bucket counts in +Inf alone
  }

  /** The whole page: the counters and the histogram, then `gauges`, an object of names and values. */
  render(gauges) {
    const lines = ['# TYPE gateway_requests_total counter'];
    for (const [code, count] of this.requestsByCode) lines.push(`gateway_requests_total{code="${code}"} ${count}`);

    lines.push('# TYPE gateway_request_duration_seconds histogram');
    let cumulative = 0;
    bucketsSeconds.forEach((limit, index) => {
      cumulative += this.countByBucket[index];
      lines.push(`gateway_request_duration_seconds_bucket{le="${limit}"} ${cumulative}`);
    });
    lines.push(`gateway_request_duration_seconds_bucket{le="+Inf"} ${this.count}`);
    lines.push(`gateway_request_duration_seconds_sum ${this.sumSeconds}`);
    lines.push(`gateway_request_duration_seconds_count ${this.count}`);

    for (const [name, value] of Object.entries(gauges)) lines.push(`# TYPE ${name} gauge`, `${name} ${value}`);
    return `${lines.join('\n')}\n`;
  }
}

module.exports = { Metrics };

import MetricsDaemon

Metricsd.run()

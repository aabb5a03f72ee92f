package enum MetricsDaemonPlaceholder {}

package enum MetricsAPIPlaceholder {}

package enum MetricsCorePlaceholder {}

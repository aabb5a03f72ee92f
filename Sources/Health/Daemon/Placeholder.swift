package enum HealthDaemonPlaceholder {}

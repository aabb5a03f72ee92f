package enum HealthAPIPlaceholder {}

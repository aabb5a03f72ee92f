package enum HealthCorePlaceholder {}

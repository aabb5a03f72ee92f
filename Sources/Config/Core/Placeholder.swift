package enum ConfigCorePlaceholder {}

package enum SettingsPlaceholder {}

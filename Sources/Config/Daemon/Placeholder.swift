package enum ConfigDaemonPlaceholder {}

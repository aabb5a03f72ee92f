package enum WatchdogDaemonPlaceholder {}

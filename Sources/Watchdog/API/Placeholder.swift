package enum WatchdogAPIPlaceholder {}

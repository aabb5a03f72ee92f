package enum WatchdogCorePlaceholder {}

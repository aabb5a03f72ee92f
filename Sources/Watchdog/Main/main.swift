import WatchdogDaemon

WatchdogDaemon.run()

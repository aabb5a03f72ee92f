import ConfigDaemon

Configd.run()

import ConfigEtcdDaemon

ConfigdEtcd.run()

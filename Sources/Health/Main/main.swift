import HealthDaemon

Healthd.run()

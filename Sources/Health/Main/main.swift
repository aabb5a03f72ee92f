import HealthDaemon
import Runtime

StartUp.run(Healthd.self)

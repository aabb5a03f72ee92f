import ConfigDaemon
import Runtime

StartUp.run(Configd.self)

import ConfigValidator

ValidatorProgram.run()

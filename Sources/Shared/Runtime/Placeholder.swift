package enum RuntimePlaceholder {}

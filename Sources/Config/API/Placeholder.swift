package enum ConfigAPIPlaceholder {}

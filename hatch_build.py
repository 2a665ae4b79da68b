from hatchling.builders.hooks.plugin.interface import BuildHookInterface
class ConsoleBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        pass

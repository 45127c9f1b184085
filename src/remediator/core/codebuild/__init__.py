"""Reads what the records of CodeBuild and CodePipeline say."""

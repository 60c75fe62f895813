"""How is it proven that nothing was changed?"""

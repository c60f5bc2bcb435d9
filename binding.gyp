{
    # native/CMakeLists.txt is the only native build: this target asks it for the addon and the library,
    # and puts both where node-gyp's users (prebuildify, node-gyp-build) look for them.
    "targets": [
        {
            "target_name": "pronghorn",
            "type": "none",
            "actions": [
                {
                    "action_name": "cmake",
                    "inputs": ["native/CMakeLists.txt"],
                    "outputs": ["<(PRODUCT_DIR)/pronghorn.node"],
                    "action": ["node", "native/gyp.mjs", "<(PRODUCT_DIR)", "<(node_root_dir)"],
                }
            ],
        }
    ]
}
